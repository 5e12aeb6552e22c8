"""What Global.pretrained_model names; classes of a label map; going on or beginning anew."""

import pytest

from making import make_bundle
from paddle_configurations import distilled, plain, write
from residua.base.errors import SettingError, WeightsError
from residua.bundle.classes import imagenet_classes
from residua.compat.config.read import read_configuration
from residua.compat.lists import fit_label_map, name_classes
from residua.compat.weights import open_weights, resolve

PUBLISHED = (
    "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/legendary_models/"
    "ResNet18_vd_pretrained.pdparams"
)


def test_prefixes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "output" / "ResNet18" / "best_model.bundle")
    (tmp_path / "theirs.pdparams").write_bytes(b"\x80")
    assert resolve("output/ResNet18/best_model") == "output/ResNet18/best_model.bundle"
    assert resolve("output/ResNet18/best_model.bundle") == "output/ResNet18/best_model.bundle"
    assert resolve("output/ResNet18/best_model.pdparams") == "output/ResNet18/best_model.bundle"
    assert resolve("output/ResNet18/best_model_student") == "output/ResNet18/best_model.bundle"
    assert resolve("theirs") == "theirs.pdparams"
    assert resolve("theirs.pdparams") == "theirs.pdparams"
    assert resolve(PUBLISHED) == "ResNet18_vd"
    with pytest.raises(SettingError, match="no weights output/ResNet18/latest: looked for"):
        resolve("output/ResNet18/latest")
    with pytest.raises(SettingError, match="none of the published weights"):
        resolve("https://example.org/x.pdparams")


def test_the_model_of_a_configuration(tmp_path):
    make_bundle(tmp_path / "net.bundle")
    path = write(tmp_path, plain("ResNet18"))
    said = f"Global.pretrained_model={tmp_path / 'net'}"
    assert open_weights(read_configuration(path, [said])).bundle.path == tmp_path / "net.bundle"
    taught = write(tmp_path, distilled("dist"), "taught.yaml")
    assert open_weights(read_configuration(taught, [said])).bundle.path == tmp_path / "net.bundle"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([], "there are no weights"),
        (["Arch.name=ResNet34", "Global.pretrained_model=NET"], "holds a ResNet18"),
        (["Arch.class_num=7", "Global.pretrained_model=NET"], "is 7, and .* has 5"),
        (["Global.checkpoints=somewhere"], "no weights somewhere"),
    ],
)
def test_models_that_are_not_meant(tmp_path, said, problem):
    make_bundle(tmp_path / "net.bundle")
    said = [text.replace("NET", str(tmp_path / "net")) for text in said]
    with pytest.raises(SettingError, match=problem):
        open_weights(read_configuration(write(tmp_path, plain("ResNet18")), said))


def test_published_weights_are_asked_for_by_name(tmp_path):
    configuration = read_configuration(write(tmp_path, plain("ResNet18")), ["Arch.pretrained=True"])
    with pytest.raises(WeightsError, match="ResNet18_pretrained"):  # tests are offline
        open_weights(configuration)


def test_classes(tmp_path):
    assert name_classes("", 1000) == imagenet_classes()
    assert name_classes("", 3).names == ("class 0", "class 1", "class 2")
    labels = tmp_path / "labels.txt"
    labels.write_text("0 hen\n1 cock, rooster\n")
    assert name_classes(str(labels), 2).names == ("hen", "cock, rooster")


@pytest.mark.parametrize("said", [True, False])
def test_label_maps_of_other_data(tmp_path, said):
    (tmp_path / "labels.txt").write_text("0 hen\n1 cock, rooster\n")
    content = plain("ResNet18")
    key = "Infer.PostProcess.class_id_map_file"
    content["Infer"]["PostProcess"]["class_id_map_file"] = "labels.txt"
    path = write(tmp_path, content)
    assert fit_label_map(read_configuration(path), 2) == str(tmp_path / "labels.txt")
    configuration = read_configuration(path, [f"{key}=labels.txt"] if said else [])
    if said:
        with pytest.raises(SettingError, match="names 2 classes, and there are 5") as caught:
            fit_label_map(configuration, 5)
        assert "-o Arch.class_num=2" in caught.value.next_step
    else:
        assert fit_label_map(configuration, 5) == ""
        assert "it is left" in configuration.findings.notes[0]


def test_a_label_map_that_is_not_there(tmp_path):
    path = write(tmp_path, plain("ResNet18"))
    with pytest.raises(SettingError, match="there is no such file"):
        fit_label_map(
            read_configuration(path, ["Infer.PostProcess.class_id_map_file=lable.txt"]), 1000
        )
