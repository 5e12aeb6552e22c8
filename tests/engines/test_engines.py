"""Every engine gives the network's own answers, for every kind of row.

The reference is the network in float64; float32 engines may differ from it by their rounding.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from kinds import KINDS, NARROW, ROUNDING, deploy, make_kind
from making import ORIGIN, make_bundle, make_network
from residua.base.errors import (
    BundleDamagedError,
    SettingError,
    UnknownNameError,
    WeightsMismatchError,
)
from residua.base.machine import usable_cores
from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Calibration, Manifest, Preprocess
from residua.bundle.store import Bundle, write_bundle
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.zoo.load import export_tensors
from residua.zoo.table import ROWS


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
@pytest.mark.parametrize("row", KINDS)
def test_an_engine_answers_as_the_network(row, engine, tmp_path):
    # An odd size shows a wrong rounding of any pool or stride.
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=61)
    opened = open_engine(bundle, engine=engine, device="cpu")
    assert isinstance(opened, Engine)
    assert engine in opened.name
    batch = np.random.default_rng(0).integers(0, 256, (3, 61, 61, 3), dtype=np.uint8)
    expected = deploy(network, bundle.manifest)(batch)
    assert expected.std() > 1e-3  # neither saturated nor constant
    for part in (slice(0, 1), slice(0, 3)):
        answer = opened.run(batch[part])
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected[part], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
def test_calibration_task_and_channels_are_in_the_graph(engine, tmp_path):
    network = make_network("ResNet18", input_channels=1, **NARROW)
    manifest = Manifest(
        architecture=network.row,
        classes=numbered_classes(5),
        preprocess=Preprocess(crop_size=64, short_side=64, colour="grey", mean=(0.4,), std=(0.3,)),
        task="multi-label",
        calibration=Calibration(temperature=1.7),
        provenance=ORIGIN,
    )
    bundle = write_bundle(tmp_path / "x.bundle", manifest, export_tensors(network))
    batch = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1), dtype=np.uint8)
    answer = open_engine(bundle, engine=engine).run(batch)
    np.testing.assert_allclose(answer, deploy(network, manifest)(batch), rtol=0, atol=ROUNDING)
    assert not np.allclose(answer.sum(1), 1, atol=1e-3)


def test_every_kind_of_row_is_among_the_kinds():
    def kind(row):
        return row.block, row.stem, row.shortcut, row.groups > 1, row.se_reduction > 0

    tested = {kind(ROWS[name]) for name in KINDS}
    missing = {kind(row) for row in ROWS.values()} - tested
    # These differ from a tested kind in one part only, which is tested in another.
    assert missing <= {
        ("basic", "deep", "projection", False, False),
        ("basic", "deep", "average", False, False),
        ("bottleneck", "deep", "average", False, True),
        ("bottleneck", "deep", "average", True, False),
        ("bottleneck", "7x7", "projection", True, True),
    }


@pytest.mark.parametrize("hint", ["latency", "throughput"])
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_runs_from_several_threads_do_not_mix(tmp_path, name, hint):
    from concurrent.futures import ThreadPoolExecutor

    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    engine = open_engine(bundle, engine=name, hint=hint)
    batches = [np.full((2, 64, 64, 3), value, np.uint8) for value in range(0, 250, 10)]
    expected = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for answer, want in zip(pool.map(engine.run, batches), expected, strict=True):
                assert np.array_equal(answer, want)


@pytest.mark.parametrize(
    "change",
    [
        {"depths": (3, 2, 2, 2)},
        {"depths": (1, 2, 2, 2)},
        {"block": "bottleneck"},
        {"stem": "deep", "stem_widths": (32, 32, 64)},
        {"shortcut": "padding", "se_reduction": 4},
        {"num_classes": 7},
    ],
)
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
def test_a_manifest_that_does_not_describe_its_tensors_is_refused(tmp_path, engine, change):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    row = bundle.manifest.architecture.model_copy(update=change)
    manifest = bundle.manifest.model_copy(
        update={"architecture": row, "classes": numbered_classes(row.num_classes)}
    )
    with pytest.raises((BundleDamagedError, WeightsMismatchError)):
        open_engine(Bundle(bundle.path, manifest), engine=engine)


def test_a_gpu_that_is_not_there_is_told(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    with pytest.raises(SettingError, match="--device cpu"):
        open_engine(bundle, device="cuda")
    with pytest.raises(SettingError, match="threads"):
        open_engine(bundle, threads=0)


def test_wrong_names_and_impossible_pairs_are_refused(tmp_path):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    with pytest.raises(UnknownNameError, match="openvino"):
        open_engine(bundle, engine="openvin")
    with pytest.raises(UnknownNameError, match="cuda"):
        open_engine(bundle, device="cud")
    with pytest.raises(SettingError, match="processor only"):
        open_engine(bundle, engine="openvino", device="cuda")


@pytest.mark.slow
def test_the_compiled_module_answers_as_the_network(tmp_path):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    network = make_network("ResNet18", num_classes=5, widths=NARROW["widths"])
    batch = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    answer = open_engine(bundle, engine="torch-compiled").run(batch)
    expected = deploy(network, bundle.manifest)(batch)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_these_engines_need_no_torch(tmp_path, engine):
    import subprocess
    import sys

    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW["widths"])
    code = f"""
import sys
from pathlib import Path
import os
import subprocess
import sys

import numpy as np
from residua.bundle.store import read_bundle
from residua.engines.choose import open_engine
engine = open_engine(read_bundle(Path({str(bundle.path)!r})), engine={engine!r})
assert engine.run(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 5)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


_AFFINITIES = """
import os, sys, threading
import os
import subprocess
import sys

import numpy as np
from residua.bundle.store import read_bundle
from residua.engines.choose import open_engine
from pathlib import Path
bundle = read_bundle(Path(sys.argv[1]))
side = bundle.manifest.preprocess.crop_size
engine = open_engine(bundle, engine="openvino", threads=1)
batch = np.zeros((256, side, side, 3), np.uint8)
running = threading.Thread(target=engine.run, args=(batch,))
running.start()
whole, seen = os.sched_getaffinity(0), set()
while running.is_alive():  # what it is bound to, it is bound to while it computes
    for task in os.listdir("/proc/self/task"):
        try:
            seen.add(frozenset(os.sched_getaffinity(int(task))))
        except ProcessLookupError:
            pass
print(seen == {frozenset(whole)})
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or usable_cores() < 2, reason="there is one core only"
)
def test_an_engine_with_a_part_of_the_cores_is_bound_to_none(tmp_path):
    """Otherwise all processes that take one thread each would share the first core."""
    bundle = make_bundle(tmp_path / "x.bundle", "ResNet18", **NARROW)
    command = [sys.executable, "-c", _AFFINITIES, str(bundle.path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
