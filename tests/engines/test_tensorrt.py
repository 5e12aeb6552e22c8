"""TensorRT's artefacts answer as the network. Needs TensorRT, a GPU, and torch built for CUDA."""

import numpy as np
import pytest
import torch

from kinds import KINDS, deploy, make_kind
from making import make_bundle
from residua.base.errors import SettingError
from residua.bundle.store import Bundle, read_bundle
from residua.engines.choose import open_engine
from residua.engines.engine import Demand
from residua.engines.open import open_runtime
from residua.export.run import export_bundle
from residua.export.write import write_files

pytest.importorskip("tensorrt", reason="TensorRT is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
# Of a probability: kernels are chosen by speed, Winograd's among them; float16 has 11 bits.
BOUNDS = {"fp32": 5e-5, "fp16": 0.02}


def noise(count, side):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@needs_gpu
@pytest.mark.slow
@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("row", KINDS)
def test_an_engine_file_answers_as_the_network(row, precision, tmp_path):
    bundle, network = make_kind(tmp_path / "x.bundle", row, side=61, shallow=True)
    folder = tmp_path / "files"
    folder.mkdir()
    export = write_files(bundle, folder, "tensorrt", precision)
    demand = Demand(Bundle(folder, bundle.manifest), precision, export, "cuda")
    engine = open_runtime("tensorrt", demand)
    crops = noise(40, 61)  # more than the profile's largest batch
    expected = deploy(network, bundle.manifest)(crops)
    for count in (1, 3, 40, 2):
        answers = engine.run(crops[:count])
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected[:count], rtol=0, atol=BOUNDS[precision])


@needs_gpu
def test_an_export_passes_the_gate_and_is_used(tmp_path):
    bundle = make_bundle(tmp_path / "x.bundle", widths=(16, 16, 32, 32))
    [outcome] = export_bundle(bundle, ["tensorrt"])
    assert outcome.error is None, outcome.error
    whole = read_bundle(bundle.path)
    record = whole.manifest.exports["tensorrt"]
    assert torch.cuda.get_device_name() in record.notes[0]
    engine = open_engine(whole, engine="tensorrt")
    expected = open_engine(whole, engine="torch", device="cpu").run(noise(3, 64))
    np.testing.assert_allclose(engine.run(noise(3, 64)), expected, rtol=0, atol=BOUNDS["fp32"])


def test_without_a_gpu_the_export_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    bundle = make_bundle(tmp_path / "x.bundle", widths=(16, 16, 32, 32))
    [outcome] = export_bundle(bundle, ["tensorrt"])
    assert isinstance(outcome.error, SettingError)
    assert "--format onnx" in str(outcome.error)
