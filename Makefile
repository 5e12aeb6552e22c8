# Two commands from a fresh clone: `make demo` and `make test`. Both need Python >= 3.11, make and a
# package registry; versions come from constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
# Test files side by side, each of one thread: small networks gain nothing from more.
WORKERS ?= $(shell nproc 2> /dev/null || echo 2)
PIP_OPTIONS := --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test quick lint cluster bench cpp cpp-sanitized clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    train, evaluate, predict and report on handwritten digits, in about two minutes"
	@echo "make test    lint, types, import contracts, all tests, the built wheel in an environment of its own"
	@echo "make quick   the tests without the slow ones"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make cluster Ray, and the tests on real clusters of this machine, about ten minutes"
	@echo "make bench   measure what results/ claims (about two hours, an idle machine)"
	@echo "make cpp     the C++ predictor, in cpp/build (cmake, g++, libjpeg's and zlib's headers)"
	@echo "make clean   remove the environments and what was built"

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(PIP_OPTIONS) -e '.[dev]'
	@touch $@

# The built wheel alone, with the default dependencies only: what users get.
SOURCES := $(shell find src -name '*.py' -o -name '*.json' -o -name '*.tsv' -o -name '*.yaml' -o -name '*.j2' -o -name '*.css' -o -name '*.html')
.venv-wheel/.installed: .venv/.installed $(SOURCES) pyproject.toml
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation . > /dev/null
	test -x .venv-wheel/bin/python || $(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install $(PIP_OPTIONS) --force-reinstall --no-deps dist/*.whl
	.venv-wheel/bin/pip install $(PIP_OPTIONS) dist/*.whl
	@touch $@

# The same wheel beside what serving an exported bundle needs, without torch.
.venv-runtime/.installed: .venv-wheel/.installed requirements-runtime.txt
	test -x .venv-runtime/bin/python || $(PYTHON) -m venv .venv-runtime
	.venv-runtime/bin/pip install $(PIP_OPTIONS) -r requirements-runtime.txt
	.venv-runtime/bin/pip install $(PIP_OPTIONS) --force-reinstall --no-deps dist/*.whl
	@touch $@

# NVIDIA's client, which the server is tested with: it wants an older protobuf than residua has.
.venv-triton/.installed: tests/serve/protocol/requirements.txt
	$(PYTHON) -m venv .venv-triton
	.venv-triton/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# A server of S3, which the paths of storages are tested with: it wants an older dateutil.
.venv-s3/.installed: tests/cluster/requirements.txt
	$(PYTHON) -m venv .venv-s3
	.venv-s3/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

demo: .venv/.installed
	$(BIN)/residua demo

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint .venv-wheel/.installed .venv-runtime/.installed .venv-triton/.installed .venv-s3/.installed
	RESIDUA_WHEEL_PYTHON=$(CURDIR)/.venv-wheel/bin/python OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
	RESIDUA_RUNTIME_PYTHON=$(CURDIR)/.venv-runtime/bin/python \
	RESIDUA_TRITON_PYTHON=$(CURDIR)/.venv-triton/bin/python \
	RESIDUA_S3_PYTHON=$(CURDIR)/.venv-s3/bin/python \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term --durations=15

quick: .venv/.installed
	$(BIN)/python -m pytest -m "not slow" -q

# Ray takes 300 MB: `make test` runs these tests too where it is installed.
cluster: .venv/.installed .venv-s3/.installed
	$(BIN)/pip install $(PIP_OPTIONS) -e '.[dev,cluster]'
	RESIDUA_S3_PYTHON=$(CURDIR)/.venv-s3/bin/python $(BIN)/python -m pytest -m cluster -q

bench: .venv/.installed cpp
	$(BIN)/python benchmarks/help_time.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/predict_throughput.py
	$(BIN)/python benchmarks/demo_time.py
	$(BIN)/python benchmarks/cpp_speed.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/export_table.py
	$(BIN)/python benchmarks/quantise.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/finetune_flowers.py
	$(BIN)/python benchmarks/cifar_curve.py 6 3

# Nothing is fetched: OpenVINO is that of the environment, libjpeg and zlib are the system's.
cpp: .venv/.installed
	cmake -S cpp -B cpp/build -DRESIDUA_PYTHON=$(abspath $(BIN))/python
	cmake --build cpp/build --parallel

cpp-sanitized: .venv/.installed
	cmake -S cpp -B cpp/build/sanitized -DRESIDUA_PYTHON=$(abspath $(BIN))/python -DRESIDUA_SANITIZE=ON
	cmake --build cpp/build/sanitized --parallel

clean:
	rm -rf .venv .venv-wheel .venv-runtime .venv-triton .venv-s3 dist build demo cpp/build .coverage .coverage.*
