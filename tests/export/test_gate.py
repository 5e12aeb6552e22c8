"""The gate catches wrong artefacts: right models are damaged here in ways that happen."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from making import make_bundle
from pixels.pictures import noise
from residua.base.errors import MissingExtraError, ParityError, SettingError
from residua.bundle.exports import record_files
from residua.bundle.schema import Preprocess
from residua.bundle.store import amend_bundle, read_bundle
from residua.engines.graph.onnx_image import take_images
from residua.engines.graph.openvino_image import take_images as take_images_openvino
from residua.export import verify
from residua.export.run import export_bundle
from residua.export.verify import verify_exports

SHAPE = {"widths": (16, 16, 32, 32), "num_classes": 5}


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", **SHAPE)


def change(model, name, values):
    """Give a constant of a model other values."""
    [constant] = [each for each in model.graph.initializer if each.name == name]
    kept = numpy_helper.to_array(constant)
    changed = np.broadcast_to(values, kept.shape).astype(kept.dtype)
    constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed), name))


def find(model, operation):
    """The first node of a type, behind what resizes."""
    nodes = [node for node in model.graph.node if node.op_type == operation]
    return next(node for node in nodes if not node.name.startswith("prepare"))


def swap_mean_and_std(model):
    mean, std = np.array(Preprocess().mean), np.array(Preprocess().std)
    change(model, find(model, "Mul").input[1], 1 / (255 * mean))
    change(model, find(model, "Add").input[1], -std / mean)


def reverse_channels(model):
    cast = find(model, "Cast")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), "reverse"))
    turn = helper.make_node("Gather", [cast.input[0], "reverse"], ["reversed"], "turn", axis=3)
    place = list(model.graph.node).index(cast)
    cast.input[0] = "reversed"
    model.graph.node.insert(place, turn)


def permute_classes(model):
    for name in find(model, "Gemm").input[1:]:
        [constant] = [each for each in model.graph.initializer if each.name == name]
        change(model, name, np.roll(numpy_helper.to_array(constant), 1, axis=0))


def forget_the_mean(model):
    change(model, find(model, "Add").input[1], 0)


def forget_a_bias(model):
    change(model, find(model, "Conv").input[2], 0)


def take_sigmoid(model):
    answer = find(model, "Softmax")
    answer.op_type = "Sigmoid"
    del answer.attribute[:]


DAMAGES = [
    swap_mean_and_std, reverse_channels, permute_classes, forget_the_mean, forget_a_bias,
    take_sigmoid,
]  # fmt: skip
# What a graph of whole pictures does otherwise than the bundle says. Without antialiasing is how
# OpenCV resizes, and every runtime unless it is told otherwise.
OTHERWISE = {
    "without antialiasing": {"resampler": "opencv"},
    "bicubic": {"interpolation": "bicubic"},
    "another short side": {"short_side": 73},
    "another rounding": {"rounding": "paddle"},
    "squashed": {"aspect": "squash"},
    "the whole picture": {"aspect": "pad"},
}


def refuse(bundle, name, **options):
    """Export what was damaged; return the error, which leaves nothing behind."""
    [outcome] = export_bundle(bundle, [name], **options)
    assert outcome.export is None
    assert not read_bundle(bundle.path).manifest.exports
    assert not list((bundle.path / "exports").glob("*/*"))
    return outcome.error


@pytest.mark.parametrize("takes", ["crop", "image"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_onnx_file_is_not_written(bundle, damage, takes, monkeypatch):
    save = onnx.save

    def save_damaged(model, path):
        damage(model)
        save(model, path)

    monkeypatch.setattr("residua.export.onnx.onnx.save", save_damaged)
    error = refuse(bundle, "onnx", takes=takes)
    assert isinstance(error, ParityError)
    assert "probability differs" in str(error)
    assert "probe" in str(error)


@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
def test_pictures_resized_otherwise_are_noticed(bundle, change, monkeypatch):
    def take(model, preprocess):
        return take_images(model, preprocess.model_copy(update=change))

    monkeypatch.setattr("residua.export.onnx.take_images", take)
    assert isinstance(refuse(bundle, "onnx", takes="image"), ParityError)


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(crop_size=64, short_side=72, resampler="opencv", rounding="paddle"),
        Preprocess(crop_size=64, short_side=72, resampler="opencv", interpolation="bicubic"),
    ],
)
def test_opencvs_crops_are_told_from_antialiased_ones(tmp_path, preprocess, monkeypatch):
    bundle = make_bundle(tmp_path / "x.bundle", preprocess=preprocess, **SHAPE)

    def take(model, preprocess):
        wrong = preprocess.model_copy(update={"resampler": "pillow"})
        return take_images_openvino(model, wrong)

    monkeypatch.setattr("residua.export.openvino.take_images", take)
    assert isinstance(refuse(bundle, "openvino", takes="image"), ParityError)


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(crop_size=64, short_side=72),
        Preprocess(crop_size=64, short_side=72, interpolation="bicubic", aspect="pad"),
        Preprocess(crop_size=64, short_side=72, resampler="opencv", rounding="paddle"),
        Preprocess(crop_size=64, short_side=48, resampler="opencv", interpolation="bicubic"),
    ],
)
def test_right_graphs_of_whole_pictures_pass(tmp_path, preprocess):
    bundle = make_bundle(tmp_path / "x.bundle", preprocess=preprocess, **SHAPE)
    pictures = [noise(90, 130), noise(200, 70), noise(31, 40)]
    outcomes = export_bundle(bundle, ["onnx", "openvino"], takes="image", pictures=pictures)
    for outcome in outcomes:
        assert outcome.error is None, outcome.error
        assert outcome.export.parity.pictures == 3
        assert outcome.export.parity.inputs > 20
    exports = read_bundle(bundle.path).manifest.exports
    assert list(exports) == ["onnx-image", "openvino-image"]
    assert {export.input for export in exports.values()} == {"image"}
    assert exports["onnx-image"].entry == "exports/onnx-image/model.onnx"
    library = preprocess.resampler
    assert all(library in export.versions for export in exports.values())
    told = onnx.load(bundle.path / exports["onnx-image"].entry).metadata_props
    assert "whole pictures of any size" in {entry.key: entry.value for entry in told}["input"]


def test_half_precision_and_crops_beside_whole_pictures(bundle):
    for takes, precision in (("crop", "fp32"), ("image", "fp16"), ("image", "fp32")):
        outcomes = export_bundle(bundle, ["onnx", "openvino"], takes=takes, precision=precision)
        for outcome in outcomes:
            assert outcome.error is None, outcome.error
    exports = read_bundle(bundle.path).manifest.exports
    assert set(exports) == {
        f"{name}{ending}"
        for name in ("onnx", "openvino")
        for ending in ("", "-image", "-fp16-image")
    }


@pytest.mark.parametrize("torch_is_here", [True, False])
def test_verifying_tells_a_wrong_artefact_from_a_right_one(bundle, torch_is_here, monkeypatch):
    for takes in ("image", "crop"):
        list(export_bundle(bundle, ["onnx", "openvino"], takes=takes))
    bundle = read_bundle(bundle.path)
    if not torch_is_here:  # then with the answers that the bundle carries
        monkeypatch.setattr(verify, "find_spec", lambda _: None)
        monkeypatch.setattr(verify, "require_libraries", lambda _: None)
        monkeypatch.setattr(verify, "set_exam", None)
    for outcome in verify_exports(bundle):
        assert outcome.error is None, outcome.error
    for name in ("onnx", "onnx-image"):
        model = onnx.load(bundle.path / f"exports/{name}/model.onnx")
        permute_classes(model)
        onnx.save(model, bundle.path / f"exports/{name}/model.onnx")
        exports = bundle.manifest.exports
        files = record_files(bundle.path / "exports" / name, f"exports/{name}")
        changed = exports[name].model_copy(update={"files": files})
        bundle = amend_bundle(bundle, {"exports": exports | {name: changed}})
    errors = {outcome.name: outcome.error for outcome in verify_exports(bundle)}
    assert isinstance(errors["onnx"], ParityError)
    assert isinstance(errors["onnx-image"], ParityError)
    assert errors["openvino"] is errors["openvino-image"] is None


def test_without_torch_and_answers_the_extra_is_named(bundle, monkeypatch):
    list(export_bundle(bundle, ["onnx"]))
    bundle = read_bundle(bundle.path)
    monkeypatch.setattr(verify, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="torch"):
        verify.find_exam(bundle, None, "image")


def test_what_cannot_be_is_refused_before_any_work(tmp_path, bundle):
    with pytest.raises(SettingError, match="onnx, openvino"):
        next(export_bundle(bundle, ["torch"], takes="image"))
    values = {"colour": "RGBA", "mean": (0.5,) * 4, "std": (0.25,) * 4}
    preprocess = Preprocess(crop_size=64, short_side=72, **values)
    other = make_bundle(tmp_path / "rgba.bundle", preprocess=preprocess, input_channels=4, **SHAPE)
    for name in ("onnx", "openvino"):
        assert isinstance(refuse(other, name, takes="image"), SettingError)
