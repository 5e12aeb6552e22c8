"""Starting is cheap: no torch, no decoder, no engine before they are needed."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch", "cv2", "PIL", "openvino", "numpy", "pydantic", "rich", "safetensors", "sklearn",
    "matplotlib", "pyarrow", "datasets", "jinja2", "yaml",
}  # fmt: skip
REPORT = """
import json, sys
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print("\\n" + json.dumps(loaded))
"""


def modules_after(code):
    output = subprocess.run(
        [sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=True
    ).stdout
    return set(json.loads(output.splitlines()[-1]))


def test_importing_residua_loads_none_of_the_heavy_libraries():
    assert not modules_after("import residua") & HEAVY


def modules_after_running(*arguments):
    return modules_after(f"""
import sys
sys.argv = ["residua", *{arguments!r}]
from residua.cli.main import run
try:
    run()
except SystemExit as end:
    assert not end.code
""")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_none_of_the_heavy_libraries(option):
    assert not modules_after_running(option) & HEAVY


_VERBS = (
    "demo", "predict", "train", "evaluate", "compare", "report", "data", "recipe", "models",
    "weights", "export", "bench",
)  # fmt: skip


@pytest.mark.parametrize("verb", _VERBS)
def test_the_help_of_a_verb_loads_none_but_typers_own(verb):
    # typer itself imports pydantic when it builds a command's parameters.
    assert not modules_after_running(verb, "--help") & (HEAVY - {"pydantic"})


def test_listing_the_models_loads_no_torch():
    assert not modules_after_running("models") & {"torch", "cv2", "openvino"}
