"""Inference archives by the one door: a bundle of the folder, of the tar, of a file of it."""

import numpy as np
import pytest
import torch

import residua
from making import save_noise
from residua.base.errors import BundleError, SettingError, WeightsError, WeightsMismatchError
from residua.bundle.classes import imagenet_classes
from residua.pixels.prepare import prepare
from residua.zoo.load import make_network
from residua.zoo.table import find_row
from residua.zoo.weights.resolve import import_file, open_bundle
from zoo.weights.names import published
from zoo.weights.program import exported
from zoo.weights.program.exported import write_folder, write_tar
from zoo.weights.test_deployment import CLS, USUAL, steps

# The one row that is small enough to be made often.
ROW = find_row("ResNet18_vd").model_copy(update={"num_classes": 3})


@pytest.fixture(scope="module")
def ours():
    """Weights under which a network of this depth neither dies nor explodes."""
    draw = np.random.default_rng(3)
    tensors = {}
    for name, shape in published.our_shapes(ROW).items():
        if name.endswith("running_var"):
            tensors[name] = draw.uniform(0.5, 2, shape).astype(np.float32)
        elif len(shape) == 1:
            tensors[name] = draw.uniform(0.1, 0.6, shape).astype(np.float32)
        else:
            fan = np.prod(shape[1:])
            tensors[name] = (draw.standard_normal(shape) * (2 / fan) ** 0.5).astype(np.float32)
    return tensors


@pytest.fixture(scope="module")
def files(ours):
    """The archive of ``ROW``, in the new format."""
    return exported.archive(ROW, ours, published.generated, "json")


def test_a_folder_predicts_as_its_network_does(tmp_path, files, ours):
    """The probabilities are those of the network on the crop that OpenCV makes."""
    folder = write_folder(tmp_path / "ResNet18_vd_infer", files)
    photo = save_noise(tmp_path / "a.png", size=(300, 260))
    classifier = residua.load(folder, engine="torch")
    assert classifier.bundle.manifest.preprocess.resampler == "opencv"
    assert classifier.bundle.manifest.preprocess.rounding == "paddle"
    (answer,) = classifier.predict(photo, top_k=3)
    pixels = classifier.bundle.manifest.preprocess
    crop = prepare(photo.read_bytes(), pixels)
    scaled = (crop / np.float32(255) - np.float32(pixels.mean)) / np.float32(pixels.std)
    with torch.inference_mode():
        network = make_network(ROW, ours).eval()
        logits = network(torch.from_numpy(scaled.transpose(2, 0, 1)[None].astype(np.float32)))
    expected = logits.softmax(1)[0].numpy()
    np.testing.assert_allclose(answer.scores, sorted(expected, reverse=True), atol=1e-5)
    assert answer.label_names[0] == f"class {expected.argmax()}"


def test_the_same_archive_is_one_bundle_and_what_lies_beside_it_counts(tmp_path, files):
    folder = write_folder(tmp_path / "x_infer", files)
    first = open_bundle(folder)
    assert open_bundle(str(folder)).path == first.path
    assert first.manifest.architecture == ROW
    assert first.manifest.classes.names == ("class 0", "class 1", "class 2")
    assert first.manifest.task == "single-label"
    assert first.manifest.provenance.notes == ("tensors named as in Paddle's program (.json)",)
    (folder / "inference_cls.yaml").write_text(CLS.replace("imagenet1k_label_list", "names"))
    (folder / "names.txt").write_text("0 rose\n1 tulip\n2 daisy\n")
    named = open_bundle(folder)
    assert named.path != first.path
    assert named.manifest.classes.names == ("rose", "tulip", "daisy")
    (folder / "names.txt").write_text("0 rose\n1 lily\n2 daisy\n")
    assert open_bundle(folder).manifest.classes.names == ("rose", "lily", "daisy")


def test_a_tar_and_a_file_of_the_folder(tmp_path, files):
    folder = write_folder(tmp_path / "x_infer", files)
    whole = open_bundle(folder).tensors()
    for path in (write_tar(tmp_path / "x_infer.tar", files), folder / "inference.json"):
        bundle = open_bundle(path)
        assert bundle.manifest.architecture == ROW
        assert all(np.array_equal(array, whole[name]) for name, array in bundle.tensors().items())


def test_settings_in_a_tar_and_options_that_override_them(tmp_path, files):
    text = steps(
        "ResizeImage: {resize_short: 160}",
        "CropImage: {size: 128}",
        "NormalizeImage: {scale: 1/255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}",
    )
    labels = "PostProcess: {Topk: {topk: 1, label_list: [a, b, c]}}\n"
    path = write_tar(tmp_path / "x.tar", files | {"inference.yml": text + labels})
    manifest = open_bundle(path).manifest
    pixels = manifest.preprocess
    assert (pixels.short_side, pixels.crop_size, pixels.mean) == (160, 128, (0.5,) * 3)
    assert manifest.classes.names == ("a", "b", "c")
    assert "pixels and classes as in x_infer/inference.yml" in manifest.provenance.notes
    bundle = import_file(path, output=tmp_path / "a.bundle", preprocess={"crop_size": 96})
    assert bundle.manifest.preprocess.crop_size == 96
    assert bundle.manifest.preprocess.short_side == 160
    names = tmp_path / "own.txt"
    names.write_text("x\ny\nz\n")
    bundle = import_file(path, output=tmp_path / "b.bundle", classes=names)
    assert bundle.manifest.classes.names == ("x", "y", "z")
    fresh = import_file(path, output=tmp_path / "c.bundle", head="new", num_classes=5)
    assert len(fresh.manifest.classes) == 5


def test_a_label_list_of_another_length_is_refused(tmp_path, files):
    folder = write_folder(tmp_path / "x", files | {"inference_cls.yaml": CLS})
    with pytest.raises(SettingError, match="has 3 outputs, and there are 1000 classes"):
        open_bundle(folder)


def test_a_label_list_that_is_missing_warns(tmp_path, files):
    text = "PostProcess: {Topk: {topk: 1, class_id_map_file: ../a/flowers.txt}}"
    folder = write_folder(tmp_path / "x", files | {"inference.yml": text})
    with pytest.warns(UserWarning, match=r"flowers\.txt, which is not beside it.*--classes FILE"):
        bundle = open_bundle(folder)
    assert bundle.manifest.classes.names[0] == "class 0"
    assert any("flowers.txt" in note for note in bundle.manifest.provenance.notes)
    open_bundle(folder)  # made already


def test_settings_that_cannot_be_followed_are_no_bundle(tmp_path, files):
    text = steps(*USUAL, "Padv2: {size: 256}")
    folder = write_folder(tmp_path / "x", files | {"inference.yml": text})
    with pytest.raises(SettingError, match="Padv2"):
        open_bundle(folder)


def test_the_input_of_the_program_tells_the_crop(tmp_path, ours):
    for side, short in ((320, 366), (-1, 256), (224, 256)):
        files = exported.archive(
            ROW, ours, published.generated, "pdmodel", input_shape=(-1, 3, side, side)
        )
        pixels = open_bundle(write_folder(tmp_path / f"x{side}", files)).manifest.preprocess
        assert (pixels.crop_size, pixels.short_side) == (224 if side < 0 else side, short)
        assert pixels.resampler == "opencv"


def test_sigmoids_make_a_multi_label_bundle(tmp_path, ours):
    files = exported.archive(ROW, ours, published.generated, "json", ending="sigmoid")
    folder = write_folder(tmp_path / "x", files)
    assert open_bundle(folder).manifest.task == "multi-label"
    fresh = import_file(folder, output=tmp_path / "a.bundle", head="new", num_classes=2)
    assert fresh.manifest.task == "single-label"


def test_a_thousand_outputs_are_imagenet(tmp_path, ours):
    row = ROW.model_copy(update={"num_classes": 1000})
    tensors = dict(ours)
    draw = np.random.default_rng(0)
    tensors["head.weight"] = draw.standard_normal((1000, 512), np.float32)
    tensors["head.bias"] = np.zeros(1000, np.float32)
    files = exported.archive(row, tensors, published.static, "pdmodel")
    folder = write_folder(tmp_path / "ResNet18_vd_infer", files | {"inference_cls.yaml": CLS})
    assert open_bundle(folder).manifest.classes == imagenet_classes()


def test_a_fourth_channel_of_zeros_is_left_out(tmp_path, ours):
    """PaddleClas's ``ultra`` networks take RGB and a channel of zeros."""
    four = ROW.model_copy(update={"input_channels": 4})
    tensors = dict(ours)
    stem = tensors["stem.0.conv.weight"]
    tensors["stem.0.conv.weight"] = np.concatenate([stem, np.ones_like(stem[:, :1])], 1)
    files = exported.archive(four, tensors, published.generated, "json", input_shape=(-1, 4, 8, 8))
    text = steps(*USUAL[:2], "NormalizeImage: {channel_num: 4}")
    folder = write_folder(tmp_path / "x", files | {"inference.yml": text})
    bundle = open_bundle(folder)
    assert bundle.manifest.architecture == ROW
    np.testing.assert_array_equal(bundle.tensors()["stem.0.conv.weight"], stem)
    assert any("fourth channel" in note for note in bundle.manifest.provenance.notes)
    with pytest.raises(SettingError, match="takes 4 channels"):
        open_bundle(write_folder(tmp_path / "y", files))


def test_the_architecture_must_agree(tmp_path, files):
    folder = write_folder(tmp_path / "x", files)
    assert open_bundle(folder, architecture="ResNet18_vd").manifest.architecture == ROW
    with pytest.raises(WeightsMismatchError, match="do not fit ResNet18_vc"):
        open_bundle(folder, architecture="ResNet18_vc")


def test_folders_that_are_no_archive(tmp_path, files, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "empty", {})
    with pytest.raises(BundleError, match="is no bundle"):
        open_bundle(tmp_path / "empty")
    with pytest.raises(WeightsError, match="is a folder, and no inference archive"):
        import_file(tmp_path / "empty", output=tmp_path / "a.bundle")
    folder = write_folder(tmp_path / "half", {"inference.pdmodel": b"x"})
    with pytest.raises(WeightsError, match="part of an inference archive"):
        open_bundle(folder)
    with pytest.raises(WeightsError, match="There is no file or folder"):
        open_bundle("nothing/inference.pdmodel")
    with pytest.raises(WeightsError, match="There is no file or folder"):
        open_bundle("inference.pdiparams")
