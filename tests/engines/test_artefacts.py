"""What is exported for other runtimes answers as the network, for every kind of row.

The reference is the network in float64. Here every artefact is written and opened as the commands
do it, but without the gate, whose bounds are wider than these.
"""

import numpy as np
import pytest

from kinds import KINDS, NARROW, ROUNDING, deploy, make_kind
from making import ORIGIN, make_network
from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Calibration, Manifest, Preprocess
from residua.bundle.store import Bundle, write_bundle
from residua.engines.engine import RUNTIMES, Demand, Engine
from residua.engines.open import open_runtime
from residua.export.formats import FORMATS
from residua.export.run import export_bundle
from residua.export.write import write_files
from residua.zoo.load import export_tensors

# ncnn convolves 3x3 by Winograd's transforms, whose constants cost a digit or two.
WINOGRAD = 5e-5
BOUNDS = {"litert": ROUNDING, "ncnn": WINOGRAD, "mnn": ROUNDING}
# All kinds of rows have passed with AOTInductor too; its compiling takes too long for that here.
COMPILED = [
    *(("executorch", row) for row in KINDS),
    *(("aoti", row) for row in ("SE_ResNeXt50_vd_32x4d", "Res2Net50_26w_4s", "ResNet20")),
]
COLOURS = {"grey": ((0.4,), (0.3,)), "RGBA": ((0.4, 0.5, 0.6, 0.3), (0.3, 0.2, 0.25, 0.4))}


def open_artefact(bundle, folder, kind, precision="fp32"):
    """Write the bundle's network as ``kind`` into ``folder`` and open that."""
    pytest.importorskip(RUNTIMES[kind].library)
    folder.mkdir()
    export = write_files(bundle, folder, kind, precision)
    where = Bundle(folder, bundle.manifest)
    engine = open_runtime(kind, Demand(where, precision, export))
    assert isinstance(engine, Engine)
    assert engine.name.startswith(f"{kind} {precision} on ")
    return engine


def noise(count, side, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


# An odd size shows a wrong rounding of any pool or stride, an even one a shifted padding.
@pytest.mark.parametrize("side", [61, 64])
@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("row", KINDS)
def test_an_artefact_answers_as_the_network(row, kind, side, tmp_path):
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=side)
    engine = open_artefact(bundle, tmp_path / "files", kind)
    crops = noise(3, side)
    expected = deploy(network, bundle.manifest)(crops)
    assert expected.std() > 1e-3  # neither saturated nor constant
    for count in (1, 3, 2):
        answers = engine.run(crops[:count])
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected[:count], rtol=0, atol=BOUNDS[kind])


@pytest.mark.slow  # they take a quarter of a minute each, most of it torch's own compiling
@pytest.mark.parametrize(("kind", "row"), COMPILED)
def test_a_compiled_artefact_answers_as_the_network(row, kind, tmp_path):
    side = 61 if kind == "executorch" else 64
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=side, shallow=True)
    engine = open_artefact(bundle, tmp_path / "files", kind)
    crops = noise(3, side)
    expected = deploy(network, bundle.manifest)(crops)
    assert expected.std() > 1e-3
    for count in (1, 3, 2):
        answers = engine.run(crops[:count])
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected[:count], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("kind", BOUNDS)
def test_calibration_task_and_channels_are_in_the_artefact(kind, colour, tmp_path):
    mean, std = COLOURS[colour]
    network = make_network("ResNet18", input_channels=len(mean), **NARROW)
    manifest = Manifest(
        architecture=network.row,
        classes=numbered_classes(5),
        preprocess=Preprocess(crop_size=64, short_side=64, colour=colour, mean=mean, std=std),
        task="multi-label",
        calibration=Calibration(temperature=1.7),
        provenance=ORIGIN,
    )
    bundle = write_bundle(tmp_path / "x.bundle", manifest, export_tensors(network))
    crops = noise(2, 64, len(mean))
    answers = open_artefact(bundle, tmp_path / "files", kind).run(crops)
    expected = deploy(network, manifest)(crops)
    np.testing.assert_allclose(answers, expected, rtol=0, atol=BOUNDS[kind])
    assert not np.allclose(answers.sum(1), 1, atol=1e-3)


@pytest.mark.parametrize("kind", ["litert", "ncnn", "mnn"])
@pytest.mark.parametrize("row", ["ResNet18", "SE_ResNeXt50_vd_32x4d"])
def test_half_precision_halves_the_weights_and_keeps_the_answers(row, kind, tmp_path):
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=64)
    open_artefact(bundle, tmp_path / "whole", kind)
    engine = open_artefact(bundle, tmp_path / "half", kind, "fp16")
    whole, half = (
        sum(path.stat().st_size for path in (tmp_path / name).iterdir())
        for name in ("whole", "half")
    )
    assert half < 0.6 * whole
    crops = noise(3, 64)
    expected = deploy(network, bundle.manifest)(crops)
    # float16 has 11 significant bits; the depth of the network adds up their rounding.
    np.testing.assert_allclose(engine.run(crops), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", BOUNDS)
def test_runs_from_several_threads_do_not_mix(kind, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    bundle, _ = make_kind(tmp_path / "x.bundle", "ResNet18", side=64)
    engine = open_artefact(bundle, tmp_path / "files", kind)
    batches = [np.full((1 + value % 3, 64, 64, 3), value, np.uint8) for value in range(0, 250, 10)]
    expected = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for answers, want in zip(pool.map(engine.run, batches), expected, strict=True):
            np.testing.assert_array_equal(answers, want)


@pytest.mark.parametrize("kind", BOUNDS)
def test_runtimes_print_nothing_among_our_answers(kind, tmp_path):
    import subprocess
    import sys

    bundle, _ = make_kind(tmp_path / "x.bundle", "ResNet18", side=64, shallow=True)
    for library in FORMATS[kind].libraries:
        pytest.importorskip(library)
    [outcome] = export_bundle(bundle, [kind])
    assert outcome.error is None
    code = f"""
from pathlib import Path
import numpy as np
from residua.bundle.store import read_bundle
from residua.engines.choose import open_engine
engine = open_engine(read_bundle(Path({str(bundle.path)!r})), engine={kind!r})
print(engine.run(np.zeros((2, 64, 64, 3), np.uint8)).shape)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "(2, 5)\n"
