"""Exports into a bundle: whole or not at all, with everything that is needed to use them alone."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov
import pytest
import torch

from making import make_bundle, make_network
from residua.base.errors import (
    BundleDamagedError,
    MissingExtraError,
    ParityError,
    SettingError,
    UnknownNameError,
)
from residua.bundle.exports import REFERENCE
from residua.bundle.schema import Preprocess
from residua.bundle.store import amend_bundle, read_bundle
from residua.engines.choose import open_engine
from residua.export import run as exporting
from residua.export import write as writing
from residua.export.run import export_bundle
from residua.export.verify import verify_exports

NARROW = (16, 16, 32, 32)
SIDE = 64


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW)


def noise(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def answers_of_the_network(crops):
    """The deployed function in float64, written out: no code of the exports in it."""
    network = make_network("ResNet18", num_classes=5, widths=NARROW).double()
    mean = torch.tensor(Preprocess().mean, dtype=torch.float64)[:, None, None]
    std = torch.tensor(Preprocess().std, dtype=torch.float64)[:, None, None]
    x = (torch.from_numpy(crops).permute(0, 3, 1, 2).double() / 255 - mean) / std
    with torch.inference_mode():
        return network(x).softmax(1).numpy()


def export(bundle, *formats, **options):
    outcomes = list(export_bundle(bundle, formats, **options))
    for outcome in outcomes:
        assert outcome.error is None, outcome.error
    return read_bundle(bundle.path)


def run_onnx(path, crops):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": crops})[0]


def run_openvino(path, crops):
    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(crops)[0])


def run_program(path, crops):
    with torch.inference_mode():
        return torch.export.load(path).module()(torch.from_numpy(crops)).numpy()


@pytest.mark.parametrize(
    ("kind", "run"), [("onnx", run_onnx), ("openvino", run_openvino), ("torch", run_program)]
)
def test_the_file_alone_answers_as_the_network(bundle, kind, run):
    record = export(bundle, kind).manifest.exports[kind]
    assert record.parity.agreement == 1
    assert record.parity.inputs == 17
    for count in (1, 3):
        crops = noise(count)
        answers = run(bundle.path / record.entry, crops)
        np.testing.assert_allclose(answers, answers_of_the_network(crops), rtol=0, atol=1e-5)


def test_onnx_says_all_that_it_takes_to_use_it(bundle):
    manifest = export(bundle, "onnx").manifest
    model = onnx.load(bundle.path / "exports/onnx/model.onnx")
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(told["classes"]) == list(manifest.classes.names)
    assert Preprocess.model_validate_json(told["preprocess"]) == manifest.preprocess
    assert told["weights_sha256"] == manifest.files["weights.safetensors"].sha256
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert sorted(path.name for path in (bundle.path / "exports/onnx").iterdir()) == ["model.onnx"]


def test_openvino_says_all_that_it_takes_to_use_it(bundle):
    manifest = export(bundle, "openvino").manifest
    model = ov.Core().read_model(bundle.path / "exports/openvino/model.xml")
    assert json.loads(model.get_rt_info(["residua", "classes"]).value) == list(
        manifest.classes.names
    )
    assert model.get_rt_info(["residua", "licence"]).value == "Apache-2.0"


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_fp16_halves_the_file_and_keeps_the_answers(bundle, kind):
    manifest = export(bundle, kind).manifest
    manifest = export(bundle, kind, precision="fp16").manifest
    # The largest file of each is the one with the weights.
    size = {name: max(f.bytes for f in e.files.values()) for name, e in manifest.exports.items()}
    assert size[f"{kind}-fp16"] < 0.6 * size[kind]
    run = run_onnx if kind == "onnx" else run_openvino
    crops = noise()
    answers = run(bundle.path / manifest.exports[f"{kind}-fp16"].entry, crops)
    np.testing.assert_allclose(answers, answers_of_the_network(crops), rtol=0, atol=5e-3)


def test_every_file_is_recorded_and_a_changed_one_is_refused(bundle):
    whole = export(bundle, "onnx", "openvino")
    on_disk = {
        path.relative_to(whole.path).as_posix() for path in whole.path.rglob("*") if path.is_file()
    }
    assert on_disk == {"bundle.json", *whole.records}
    whole.verify()
    path = whole.path / "exports/onnx/model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleDamagedError, match=r"model\.onnx"):
        open_engine(whole, engine="onnxruntime")
    with pytest.raises(BundleDamagedError, match=r"model\.onnx"):
        whole.verify()


def test_an_export_that_answers_otherwise_is_not_written(bundle, monkeypatch):
    good = export(bundle, "onnx")
    before = (bundle.path / "exports/onnx/model.onnx").read_bytes()
    write = exporting.write_files

    def wrong(bundle, folder, name, precision, takes):
        manifest = bundle.manifest
        swapped = manifest.preprocess.model_copy(
            update={"mean": manifest.preprocess.std, "std": manifest.preprocess.mean}
        )
        changed = manifest.model_copy(update={"preprocess": swapped})
        return write(type(bundle)(bundle.path, changed), folder, name, precision, takes)

    monkeypatch.setattr(exporting, "write_files", wrong)
    for name in ("onnx", "openvino"):
        [outcome] = export_bundle(good, [name])
        assert isinstance(outcome.error, ParityError)
        assert any("a probability differs" in line for line in outcome.error.differences)
        assert any(line.startswith("probe ") for line in outcome.error.differences)
    after = read_bundle(bundle.path)
    assert list(after.manifest.exports) == ["onnx"]
    assert (bundle.path / "exports/onnx/model.onnx").read_bytes() == before
    assert not (bundle.path / "exports/openvino").exists()
    after.verify()


def test_one_format_that_fails_does_not_keep_the_others(bundle, monkeypatch):
    monkeypatch.setattr(
        writing, "find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    first, second = export_bundle(bundle, ["onnx", "openvino"])
    assert isinstance(first.error, MissingExtraError)
    assert "residua[export]" in str(first.error)
    assert second.error is None
    assert list(read_bundle(bundle.path).manifest.exports) == ["openvino"]


def test_wrong_wishes_are_refused_before_any_work(bundle):
    with pytest.raises(UnknownNameError, match="onnx"):
        list(export_bundle(bundle, ["onxx"]))
    with pytest.raises(SettingError, match="not written in int8"):
        list(export_bundle(bundle, ["torch"], precision="int8"))
    with pytest.raises(SettingError, match="--calibrate"):
        list(export_bundle(bundle, ["onnx"], precision="int8"))
    assert not (bundle.path / "exports").exists()


def test_exports_are_used_and_need_no_weights(bundle):
    whole = export(bundle, "onnx", "openvino")
    crops = noise()
    expected = answers_of_the_network(crops)
    for name in ("onnxruntime", "openvino"):
        # Tensors of zeros would show that the weights were read.
        engine = open_engine(whole, engine=name)
        np.testing.assert_allclose(engine.run(crops), expected, rtol=0, atol=1e-5)
    (whole.path / "weights.safetensors").write_bytes(b"")
    for name in ("onnxruntime", "openvino"):
        np.testing.assert_allclose(
            open_engine(whole, engine=name).run(crops), expected, rtol=0, atol=1e-5
        )


def test_what_exports_hold_cannot_be_changed_under_them_but_figures_can(bundle):
    whole = export(bundle, "onnx")
    changed = whole.manifest.calibration.model_copy(update={"temperature": 2.0})
    with pytest.raises(SettingError, match="onnx"):
        amend_bundle(whole, {"calibration": changed})
    assert amend_bundle(whole, {"licence": "MIT"}).manifest.licence == "MIT"


def test_verify_compares_on_this_machine_and_finds_what_was_swapped(bundle, tmp_path):
    whole = export(bundle, "onnx", "openvino")
    assert [outcome.error for outcome in verify_exports(whole)] == [None, None]
    # The artefact of other weights, properly recorded: only its answers give it away.
    other = export(make_bundle(tmp_path / "y.bundle", widths=NARROW, seed=1), "onnx")
    shutil.copy(other.path / "exports/onnx/model.onnx", whole.path / "exports/onnx/model.onnx")
    exports = dict(whole.manifest.exports)
    exports["onnx"] = other.manifest.exports["onnx"]
    swapped = amend_bundle(whole, {"exports": exports})
    first, second = verify_exports(swapped)
    assert isinstance(first.error, ParityError)
    assert second.error is None


def test_verify_without_torch_takes_the_answers_in_the_bundle(bundle, monkeypatch):
    whole = export(bundle, "onnx")
    assert REFERENCE in whole.manifest.files
    find = writing.find_spec
    monkeypatch.setattr(
        "residua.export.verify.find_spec", lambda name: None if name == "torch" else find(name)
    )
    monkeypatch.setattr("residua.export.gate.set_exam", None)
    [outcome] = verify_exports(whole)
    assert outcome.error is None
    assert outcome.export.parity.inputs == 17


def test_pictures_join_the_exam(bundle):
    record = export(bundle, "onnx", pictures=noise(4)).manifest.exports["onnx"]
    assert (record.parity.inputs, record.parity.pictures) == (21, 4)
