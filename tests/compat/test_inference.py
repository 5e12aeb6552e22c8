"""Predicting by a configuration: what is shown, what wins, what is refused."""

from types import SimpleNamespace

import pytest

from making import make_bundle
from paddle_configurations import deployment, plain, write
from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.compat.answers import answer
from residua.compat.config.read import read_configuration
from residua.compat.inference import adapt, read_deployment, read_inference
from residua.predict.results import Prediction


def read(tmp_path, content, *said):
    return read_configuration(write(tmp_path, content), said)


def test_infer(tmp_path):
    configuration = read(tmp_path, plain("ResNet18"), "Infer.PostProcess.topk=2")
    found = read_inference(configuration)
    assert (found.images, found.batch_size, found.top_k) == (
        "docs/images/inference_deployment/whl_demo.jpg", 10, 2
    )  # fmt: skip
    assert found.preprocess == Preprocess(
        crop_size=224, short_side=256, resampler="opencv", rounding="paddle"
    )
    assert not found.insisted
    assert found.label_map == ""  # PaddleClas's own list of ImageNet is not needed


def test_deployment(tmp_path):
    folder, found = read_deployment(
        read(tmp_path, deployment(), "Global.use_gpu=False", "Global.use_onnx=True")
    )
    assert (folder, found.device, found.engine) == ("./models", "cpu", "onnxruntime")
    assert (found.top_k, found.batch_size, found.threads) == (5, 1, 10)
    # 0.00392157 is how PaddleClas writes 1/255.
    assert found.preprocess.mean == (0.485, 0.456, 0.406)


def test_int8_and_fp16(tmp_path):
    _, found = read_deployment(read(tmp_path, deployment(), "Global.use_fp16=True"))
    assert found.precision == "fp16"
    _, found = read_deployment(read(tmp_path, deployment(), "Global.use_int8=True"))
    assert found.precision == "int8"


def test_multi_label(tmp_path):
    content = plain("ResNet18")
    content["Infer"]["PostProcess"] = {"name": "MultiLabelThreshOutput", "threshold": 0.3}
    found = read_inference(read(tmp_path, content))
    assert (found.top_k, found.threshold) == (None, 0.3)


def decided(tmp_path, scores, **settings):
    """What ThreshOutput makes of a classifier that gives ``scores``, best first."""
    content = plain("ResNet18")
    content["Infer"]["PostProcess"] = {"name": "ThreshOutput", **settings}
    found = read_inference(read(tmp_path, content))
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    given = Prediction("x.jpg", order, [scores[n] for n in order], [f"class {n}" for n in order])
    classifier = SimpleNamespace(classes=scores, predict=lambda *_, **__: iter([given]))
    (answered,) = answer(
        classifier, "x.jpg", top_k=found.top_k, threshold=found.threshold, decision=found.decision
    )
    return answered.class_ids, answered.scores, answered.label_names


def test_a_decision_between_two_classes(tmp_path):
    """ppcls/data/postprocess/threshoutput.py: the second class from the threshold on."""
    labels = {"label_0": "nobody", "label_1": "someone"}
    yes = decided(tmp_path, [0.45, 0.55], threshold=0.5, **labels)
    assert yes == ([1], [0.55], ["someone"])
    assert decided(tmp_path, [0.45, 0.55], threshold=0.55, **labels) == yes
    ids, scores, names = decided(tmp_path, [0.45, 0.55], threshold=0.9, **labels)
    assert (ids, names) == ([0], ["nobody"])
    assert scores == pytest.approx([0.45])


def test_a_decision_among_three_classes(tmp_path):
    """deploy/python/postprocess.py: the best if it is above, else the default."""
    assert decided(tmp_path, [0.2, 0.5, 0.3], threshold=0.4) == ([1], [0.5], ["class 1"])
    found = decided(tmp_path, [0.2, 0.5, 0.3], threshold=0.6, default_label_index=2)
    assert found == ([2], [0.3], ["class 2"])


def test_the_bundle_prepares_unless_the_command_line_insists(tmp_path):
    bundle = make_bundle(tmp_path / "net.bundle")  # crops of 64 pixels
    silent = read(tmp_path, plain("ResNet18"))
    adapted = adapt(bundle, read_inference(silent), silent, own=True)
    assert adapted.manifest.preprocess == bundle.manifest.preprocess
    (note,) = silent.findings.notes
    assert "not as the file says: crop_size 224 (its own: 64)" in note
    insisting = read(tmp_path, plain("ResNet18"), "Infer.transforms.2.CropImage.size=96")
    adapted = adapt(bundle, read_inference(insisting), insisting, own=True)
    assert (adapted.manifest.preprocess.crop_size, adapted.manifest.preprocess.short_side) == (
        96, 256
    )  # fmt: skip


def test_a_weight_file_is_prepared_as_the_configuration_says(tmp_path):
    bundle = make_bundle(tmp_path / "net.bundle")
    configuration = read(tmp_path, plain("ResNet18"))
    adapted = adapt(bundle, read_inference(configuration), configuration, own=False)
    assert adapted.manifest.preprocess.crop_size == 224
    assert not configuration.findings.notes


@pytest.mark.parametrize("said", [True, False])
def test_names_of_the_label_map(tmp_path, said):
    names = tmp_path / "labels.txt"
    names.write_text("".join(f"{n} class of {n}\n" for n in range(5)))
    content = plain("ResNet18")
    content["Infer"]["PostProcess"]["class_id_map_file"] = "labels.txt"  # beside the configuration
    says = ["Infer.PostProcess.class_id_map_file=labels.txt"] if said else []
    configuration = read(tmp_path, content, *says)
    wanted = read_inference(configuration)
    bundle = make_bundle(tmp_path / "n.bundle")
    adapted = adapt(bundle, wanted, configuration, own=True)
    assert adapted.manifest.classes.names[3] == "class of 3"
    other = make_bundle(tmp_path / "m.bundle", num_classes=3)
    if said:
        with pytest.raises(SettingError, match="names 5 classes, and the network has 3"):
            adapt(other, wanted, configuration, own=True)
    else:
        adapted = adapt(other, wanted, configuration, own=True)
        assert adapted.manifest.classes == other.manifest.classes
        assert any("its own names stand" in note for note in configuration.findings.notes)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Infer.PostProcess.name=PersonAttribute", "which residua has not"),
        ("Infer.transforms.0.DecodeImage.to_rgb=False", "decodes to BGR"),
        ("Infer.transforms.3.NormalizeImage.scale=nonsense", "where a number should be"),
        ("Infer.transforms.1.ResizeImage.interpolation=lanczos", "ResizeImage is lanczos"),
        ("Infer.transforms.2.CropImage.size=300", "crops 300 pixels of 256"),
        ("Infer.transforms.4={'GridMask': None}", "which residua does not do"),
    ],
)
def test_refusals(tmp_path, said, problem):
    with pytest.raises(SettingError, match=problem):
        read_inference(read(tmp_path, plain("ResNet18"), said))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Global.use_npu=True", "not driven from here"),
        ("Global.batchsize=3", "residua does not know: Global.batchsize"),
        ("PostProcess.main_indicator=VehicleAttribute", "which residua has not"),
    ],
)
def test_refusals_of_deployment(tmp_path, said, problem):
    with pytest.raises(SettingError, match=problem):
        read_deployment(read(tmp_path, deployment(), said))


@pytest.mark.parametrize("size", [0, -1])
def test_batches_of_nothing(tmp_path, size):
    with pytest.raises(SettingError, match=f"batch_size is {size}"):
        read_inference(read(tmp_path, plain("ResNet18"), f"Infer.batch_size={size}"))
    with pytest.raises(SettingError, match=f"batch_size is {size}"):
        read_deployment(read(tmp_path, deployment(), f"Global.batch_size={size}"))
