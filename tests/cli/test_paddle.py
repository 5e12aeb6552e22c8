"""Commands by PaddleClas configurations: what is meant by them, what they write, what they say."""

import ast
import json
import sys

import pytest
import yaml
from typer.testing import CliRunner

from making import make_bundle, save_noise
from paddle_configurations import base, decode, deployment, normalise, plain, write
from residua.base.errors import SettingError
from residua.bundle.store import is_bundle, read_bundle
from residua.cli.main import app as usual
from residua.cli.main import run as run_main
from residua.cli.paddle.configured import app
from residua.cli.paddle.dispatch import find_configured
from residua.train.recipe.file import read_recipe_file

NAMES = ("ant", "bee", "cat")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with two lists, 12 and 6 pictures of three classes, and a small configuration."""
    for part, count in (("train", 12), ("val", 6)):
        lines = []
        for n in range(count):
            save_noise(tmp_path / "pictures" / part / f"{n}.png", seed=n, size=(40, 36))
            lines.append(f"{part}/{n}.png {n % 3}\n")
        (tmp_path / f"{part}_list.txt").write_text("".join(lines))
    (tmp_path / "labels.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(NAMES)))
    content = base("ResNet20", epochs=2, rate={"name": "Cosine", "learning_rate": 0.1}, decay=1e-4)
    content["Arch"]["class_num"] = 3
    content["Global"] |= {"image_shape": [3, 32, 32], "device": "cpu"}
    for part, steps in (
        ("Train", [decode(), {"RandCropImage": {"size": 32}}, normalise()]),
        ("Eval", [decode(), {"ResizeImage": {"resize_short": 36}}, {"CropImage": {"size": 32}},
                  normalise()]),
    ):  # fmt: skip
        listing = f"{part.lower().replace('eval', 'val')}_list.txt"
        content["DataLoader"][part]["dataset"] |= {
            "image_root": "pictures", "cls_label_path": listing, "transform_ops": steps
        }  # fmt: skip
    content["DataLoader"]["Train"]["sampler"]["batch_size"] = 4
    content["Infer"] |= {"infer_imgs": "pictures/val", "batch_size": 4}
    content["Infer"]["transforms"] = content["DataLoader"]["Eval"]["dataset"]["transform_ops"]
    content["Infer"]["PostProcess"] |= {"topk": 2, "class_id_map_file": "labels.txt"}
    write(tmp_path, content, "small.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words, expect=0):
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture
def trained(place):
    call("train", "-c", "small.yaml")
    return place


def test_training_writes_what_the_document_names(place):
    result = call("train", "-c", "small.yaml")
    bundle = read_bundle(place / "output" / "ResNet20" / "best_model.bundle")
    assert bundle.manifest.classes.names == NAMES
    assert (
        bundle.manifest.recipe["loop"] | {"epochs": 2, "batch_size": 4}
        == bundle.manifest.recipe["loop"]
    )
    assert "[best metric: " in result.stdout
    assert (
        "residua evaluate -c small.yaml -o Global.pretrained_model=output/ResNet20/best_model"
        in (result.stdout)
    )
    assert "An update sees 4 pictures" in result.stderr
    assert result.stderr.count("Ignored: Global.save_interval") == 1


def test_a_second_training_takes_the_place_of_the_first(trained):
    call("train", "-c", "small.yaml", "-o", "Global.epochs=1", "-o", "Global.seed=3")
    recipe = read_bundle(trained / "output/ResNet20/best_model.bundle").manifest.recipe
    assert (recipe["loop"]["epochs"], recipe["loop"]["seed"]) == (1, 3)


def test_our_own_keys_have_the_last_word(place):
    call("train", "-c", "small.yaml", "-o", "Global.epochs=1", "-o", "average.kind=ema",
         "-o", "optimizer.lr=0.03")  # fmt: skip
    recipe = read_bundle(place / "output/ResNet20/best_model.bundle").manifest.recipe
    assert recipe["average"]["kind"] == "ema"
    assert recipe["optimiser"]["lr"] == 0.03


def test_going_on_is_for_runs_that_were_interrupted(trained):
    with pytest.raises(SettingError, match="no interrupted run of residua lies there"):
        call("train", "-c", "small.yaml", "-o", "Global.checkpoints=output/ResNet20/latest")


def test_evaluation(trained):
    words = (
        "evaluate",
        "-c",
        "small.yaml",
        "-o",
        "Global.pretrained_model=output/ResNet20/best_model",
    )
    lines = call(*words).stdout.strip().splitlines()
    assert lines[-1].startswith("[Eval][Epoch 0][Avg]CELoss: ")
    found = json.loads(call(*words, "--json").stdout)
    assert f"top1: {found['top1']:.5f}" in lines[-1]
    assert found["images"] == 6


def test_prediction_in_batches(trained):
    words = (
        "predict",
        "-c",
        "small.yaml",
        "-o",
        "Global.pretrained_model=output/ResNet20/best_model",
    )
    batches = [ast.literal_eval(line) for line in call(*words).stdout.strip().splitlines()]
    assert [len(batch) for batch in batches] == [4, 2]
    assert batches[0][0]["file_name"] == "pictures/val/0.png"
    assert set(batches[0][0]["label_names"]) < set(NAMES)
    records = [json.loads(line) for line in call(*words, "--json").stdout.strip().splitlines()]
    assert records == [record for batch in batches for record in batch]


def test_of_several_processes_the_first_predicts(trained, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert not call("predict", "-c", "small.yaml").stdout
    monkeypatch.setenv("RANK", "0")
    assert call("predict", "-c", "small.yaml", "-o",
                "Global.pretrained_model=output/ResNet20/best_model").stdout  # fmt: skip


def test_a_bad_picture_is_a_record_and_an_exit_code(trained):
    (trained / "pictures/val/bad.png").write_bytes(b"none")
    result = call("predict", "-c", "small.yaml", "-o",
                  "Global.pretrained_model=output/ResNet20/best_model", "-o", "Infer.save_dir=out",
                  expect=3)  # fmt: skip
    assert "'reason': 'not-an-image'" in result.stdout
    assert len(json.loads((trained / "out" / "results.json").read_text())) == 7


def test_export_and_deployment(trained):
    call("export", "-c", "small.yaml", "-o", "Global.pretrained_model=output/ResNet20/best_model",
         "-o", "Global.save_inference_dir=deploy/models/net_infer")  # fmt: skip
    assert is_bundle(trained / "deploy/models/net_infer")
    write(trained / "deploy/configs", deployment(), "inference_cls.yaml")
    result = call(
        "predict", "-c", "deploy/configs/inference_cls.yaml",
        "-o", "Global.inference_model_dir=deploy/models/net_infer",
        "-o", "Global.infer_imgs=pictures/val",
    )  # fmt: skip
    lines = result.stdout.strip().splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("0.png:\tclass id(s): [")
    assert "not as the file says: crop_size 224 (its own: 32)" in result.stderr


@pytest.mark.parametrize("verb", ["predict", "evaluate", "export"])
def test_what_a_command_does_not_hear_is_said(trained, verb):
    words = (verb, "-c", "small.yaml", "-o", "Global.pretrained_model=output/ResNet20/best_model")
    with pytest.raises(SettingError, match=r"does not know: Global\.epoch\.") as caught:
        call(*words, "-o", "Global.epoch=3")
    assert "Global.epoch" in str(caught.value)
    result = call(*words, "-o", "Global.epochs=3", "-o", "Global.save_inference_dir=out")
    assert "Global.epochs has no effect on this command." in result.stderr


def test_predicting_nothing_is_an_error(trained):
    with pytest.raises(SettingError, match="infer_imgs is missing"):
        call("predict", "-c", "small.yaml", "-o", "Infer.infer_imgs=",
             "-o", "Global.pretrained_model=output/ResNet20/best_model")  # fmt: skip


def test_the_next_commands_work_as_they_are_printed(place):
    said = ("-o", "Global.epochs=1", "-o", "Infer.infer_imgs=pictures/val/0.png")
    out = call("train", "-c", "small.yaml", *said, "-o", "average.kind=ema").stdout
    commands = [line.split()[1:] for line in out.splitlines() if line.startswith("  residua ")]
    assert [words[0] for words in commands] == ["evaluate", "predict", "export"]
    for words in commands:
        call(*words)
    assert (place / "inference" / "bundle.json").is_file()


@pytest.mark.parametrize("verb", ["predict", "evaluate", "export"])
def test_keys_of_a_recipe_are_for_training(trained, verb):
    with pytest.raises(SettingError, match=r"evaluate\.image_size=9 is of a recipe"):
        call(verb, "-c", "small.yaml", "-o", "evaluate.image_size=9")


@pytest.mark.parametrize("verb", ["predict", "evaluate", "export", "train"])
def test_a_configuration_that_is_not_there(place, verb):
    words = find_configured([verb, "-c", "smal.yaml"])
    with pytest.raises(SettingError, match=r"no configuration smal\.yaml") as caught:
        call(*words)
    assert "small.yaml" in caught.value.next_step


def test_a_configuration_of_something_else(place):
    (place / "rec.yaml").write_text("Global: {}\nRecPreProcess: {}\n")
    with pytest.raises(SettingError, match="is no configuration of a classifier"):
        call(*find_configured(["predict", "-c", "rec.yaml"]))


def test_export_spares_another_bundle(trained, tmp_path):
    weights = "Global.pretrained_model=output/ResNet20/best_model"
    target = f"Global.save_inference_dir={tmp_path / 'precious.bundle'}"
    words = ("export", "-c", "small.yaml", "-o", weights, "-o", target)
    precious = make_bundle(tmp_path / "precious.bundle", seed=3)
    with pytest.raises(SettingError, match="where another bundle lies"):
        call(*words)
    assert read_bundle(precious.path).manifest == precious.manifest


def test_export_spares_what_is_no_bundle(trained):
    with pytest.raises(SettingError, match="where something else lies"):
        call("export", "-c", "small.yaml", "-o", "Global.save_inference_dir=pictures",
             "-o", "Global.pretrained_model=output/ResNet20/best_model")  # fmt: skip


def test_pictures_of_two_roots(place):
    (place / "pictures" / "val").rename(place / "elsewhere")
    (place / "val_list.txt").write_text((place / "val_list.txt").read_text().replace("val/", ""))
    call("train", "-c", "small.yaml", "-o", "Global.epochs=1",
         "-o", "DataLoader.Eval.dataset.image_root=elsewhere")  # fmt: skip


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["train", "-c", "C"], ["train", "-c", "C"]),
        (["eval", "-o", "Global.epochs=2", "--config", "C"],
         ["evaluate", "-o", "Global.epochs=2", "--config", "C"]),
        (["infer", "--config=C"], ["predict", "--config=C"]),
        (["export_model", "-cC"], ["export", "-cC"]),
        (["train", "data", "-c", "OURS"], None), (["train", "data"], None), ([], None),
        (["serve", "-c", "C"], None), (["train", "-c"], None), (["train", "-c", "finetune"], None),
    ],
)  # fmt: skip
def test_which_commands_are_meant(tmp_path, words, meant):
    theirs = write(tmp_path, plain("ResNet18"))
    ours = tmp_path / "ours.yaml"
    ours.write_text("extends: finetune\n")

    def spell(word):
        return word.replace("C", str(theirs)) if word in {"C", "--config=C", "-cC"} else word

    given = [str(ours) if word == "OURS" else spell(word) for word in words]
    assert find_configured(given) == (meant and [spell(word) for word in meant])


def test_the_command_line_finds_them(place, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["residua", "train", "-c", "small.yaml", "-o", "Global.epoch=1"]
    )
    with pytest.raises(SystemExit) as left:
        run_main()
    assert left.value.code == 1
    assert "residua does not know: Global.epoch" in capsys.readouterr().err


def test_import_is_a_recipe(place):
    result = CliRunner().invoke(usual, ["recipe", "import", "small.yaml", "-o", "Global.epochs=3"])
    assert result.exit_code == 0, result.output
    assert (
        "# Command: residua train train_list.txt --val val_list.txt -c THIS.yaml" in result.stdout
    )
    (place / "mine.yaml").write_text(result.stdout)
    recipe = read_recipe_file(place / "mine.yaml")
    assert (recipe.model.name, recipe.loop.epochs, recipe.loop.batch_size) == ("ResNet20", 3, 16)
    assert yaml.safe_load(result.stdout)["evaluate"]["prepare"] == "paddle"


def test_the_package_needs_pictures():
    result = CliRunner().invoke(usual, ["paddleclas", "--model_name=ResNet50"])
    assert isinstance(result.exception, SettingError)
    assert "--infer_imgs is missing" in str(result.exception)


def test_numbers_are_the_classes_of_the_weights(trained):
    """To PaddleClas a class is its number: without a label map those of the weights are meant."""
    call("train", "-c", "small.yaml", "-o", "Global.epochs=1", "-o", "Global.output_dir=again",
         "-o", "Infer.PostProcess.class_id_map_file=None",
         "-o", "Arch.pretrained=output/ResNet20/best_model")  # fmt: skip
    manifest = read_bundle(trained / "again/ResNet20/best_model.bundle").manifest
    assert manifest.classes.names == NAMES
    assert any("3 classes matched by name" in note for note in manifest.provenance.notes)


def test_a_teacher_of_the_same_numbers(trained):
    content = yaml.safe_load((trained / "small.yaml").read_text())
    networks = {"Teacher": "output/ResNet20/best_model", "Student": False}
    content["Arch"] = {
        "name": "DistillationModel", "class_num": 3, "freeze_params_list": [True, False],
        "models": [{role: {"name": "ResNet20", "pretrained": w}} for role, w in networks.items()],
    }  # fmt: skip
    content["Loss"]["Train"] = [{"DistillationDMLLoss": {"weight": 1.0}}]
    content["Infer"]["PostProcess"]["class_id_map_file"] = None
    write(trained, content, "taught.yaml")
    result = call("train", "-c", "taught.yaml", "-o", "Global.epochs=1")
    manifest = read_bundle(trained / "output/DistillationModel/best_model.bundle").manifest
    assert manifest.recipe["distil"]["method"] == "ssld"
    assert manifest.classes.names == NAMES
    assert "batch's statistics" in result.stderr
