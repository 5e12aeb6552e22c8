"""residua train: from a folder to a bundle, and what goes wrong on the way."""

import json
import subprocess
import sys
import types

import pytest
from typer.testing import CliRunner

from data.shapes import SHAPES, write_shapes
from making import save_noise
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.store import read_bundle
from residua.cli.main import app

_QUICK = ["--epochs", "1", "--batch-size", "8", "--image-size", "16", "--model", "ResNet20"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", count=10)


def _run(*arguments, expect=0):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def test_a_folder_becomes_a_bundle_beside_its_record(shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = _run(shapes, *_QUICK)
    manifest = read_bundle(tmp_path / "shapes.bundle").manifest
    assert manifest.classes.names == tuple(SHAPES)
    assert manifest.recipe["data"]["val_fraction"] == 0.2
    lines = (tmp_path / "shapes.run" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["start", "step", "epoch", "end"]
    assert "24 pictures to train on, 6 to validate, 3 classes." in result.stderr
    assert "epoch 1 of 1  loss" in result.stderr
    assert "images/s" in result.stderr
    assert "top-1" in result.stdout
    assert "residua predict PICTURES --model shapes.bundle" in result.stdout


def test_options_reach_the_recipe(shapes, tmp_path):
    output = tmp_path / "x.bundle"
    _run(shapes, *_QUICK, "--output", output, "--lr", 0.02, "--mixup", 0.3,
         "--label-smoothing", 0.1, "--seed", 5, "--val-fraction", 0.4, "--precision", "fp32",
         "--weight-decay", 0.001, "--warmup-epochs", 0.5)  # fmt: skip
    recipe = read_bundle(output).manifest.recipe
    assert recipe["optimiser"]["lr"] == 0.02
    assert recipe["optimiser"]["weight_decay"] == 0.001
    assert recipe["augment"]["mix"]["mixup"] == 0.3
    assert recipe["loss"]["label_smoothing"] == 0.1
    assert (recipe["loop"]["epochs"], recipe["loop"]["batch_size"]) == (1, 8)
    assert recipe["loop"]["seed"] == 5
    assert recipe["data"]["val_fraction"] == 0.4
    assert recipe["schedule"]["warmup_epochs"] == 0.5


def test_json_is_one_object(shapes, tmp_path):
    output = tmp_path / "x.bundle"
    record = json.loads(_run(shapes, *_QUICK, "--output", output, "--json").stdout)
    metrics = read_bundle(output).manifest.metrics[0]
    assert record["bundle"] == str(output)
    assert record["top1"] == metrics.top1 == record["epochs"][-1]["metrics"]["top1"]
    assert record["classes"] == list(SHAPES)
    assert record["validation"]["images"] == 6


def test_fine_tuning_from_a_bundle(shapes, tmp_path):
    parent, child = tmp_path / "parent.bundle", tmp_path / "child.bundle"
    _run(shapes, *_QUICK, "--output", parent)
    result = _run(shapes, "--pretrained", parent, "--epochs", 1, "--batch-size", 8,
                  "--image-size", 16, "--output", child)  # fmt: skip
    assert "3 classes matched by name" in result.stderr
    manifest = read_bundle(child).manifest
    assert manifest.architecture.name == "ResNet20"
    assert manifest.provenance.parent == str(parent)


def test_a_bundle_is_made_fit_for_int8(shapes, tmp_path):
    parent, child = tmp_path / "parent.bundle", tmp_path / "child.bundle"
    _run(shapes, *_QUICK, "--output", parent)
    result = _run(shapes, "--pretrained", parent, "--quantise", "--epochs", 1, "--output", child)
    assert "Recipe quantise, from" in result.stderr
    assert "With the rounding of int8: top-1" in result.stdout
    manifest = read_bundle(child).manifest
    assert manifest.recipe["precision"]["quantise"]
    assert manifest.preprocess == read_bundle(parent).manifest.preprocess
    with pytest.raises(SettingError, match=r"--pretrained YOUR\.bundle --quantise"):
        _run(shapes, *_QUICK, "--quantise", "--output", tmp_path / "x.bundle")


def test_an_existing_bundle_needs_overwrite(shapes, tmp_path):
    output = tmp_path / "x.bundle"
    _run(shapes, *_QUICK, "--output", output)
    with pytest.raises(SettingError, match="exists already"):
        _run(shapes, *_QUICK, "--output", output)
    _run(shapes, *_QUICK, "--output", output, "--overwrite")


def test_mistakes_name_the_next_step(shapes, tmp_path):
    with pytest.raises(UnknownNameError, match="Nearest: finetune"):
        _run(shapes, "-c", "finetun")
    with pytest.raises(UnknownNameError, match=r"Nearest: optimiser\.lr"):
        _run(shapes, *_QUICK, "-o", "optimiser.lrr=1")
    with pytest.raises(SettingError, match="no length of time"):
        _run(shapes, "--budget", "soon")
    with pytest.raises(UnknownNameError, match="Nearest: ResNet18_vd"):
        _run(shapes, "--model", "ResNet18_vdd", "--output", tmp_path / "x.bundle")


def test_with_nothing_but_tiny_pictures(shapes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = _run(shapes, "-o", "model.widths=[4,4,8,8]", "-o", "model.stem_width=4",
                  "--epochs", 1, "--json")  # fmt: skip
    assert "The pictures are tiny (about 24 pixels): recipe cifar, from scratch." in result.stderr
    assert "Forecast: 1 epoch of" in result.stderr
    manifest = read_bundle(tmp_path / "shapes.bundle").manifest
    assert manifest.recipe["augment"]["image_size"] == 24
    assert manifest.recipe["augment"]["crop"]["padding"] == 3  # 4 of 32 pixels
    assert (manifest.preprocess.crop_size, manifest.preprocess.short_side) == (24, 24)


def test_with_nothing_but_photos_and_no_network(tmp_path, monkeypatch):
    for number in range(6):
        for name in ("left", "right"):
            save_noise(tmp_path / "photos" / name / f"{number}.png", seed=number)
    monkeypatch.chdir(tmp_path)
    result = _run(tmp_path / "photos", "--epochs", 1, "--image-size", 32,
                  "-o", "model.widths=[4,4,8,8]", "-o", "model.stem_width=4")  # fmt: skip
    assert "TRAINING FROM SCRATCH" in result.stderr
    assert "residua weights pull ResNet18_vd" in result.stderr
    assert read_bundle(tmp_path / "photos.bundle").manifest.recipe["model"]["pretrained"] == ""


def test_several_labels_a_picture(shapes, tmp_path):
    lines = ["path,labels"]
    for number, file in enumerate(sorted(shapes.rglob("*.png"))):
        also = "|even" if number % 2 == 0 else ""
        lines.append(f"{file},{file.parent.name}{also}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    result = _run(table, *_QUICK, "--multi-label", "--output", tmp_path / "x.bundle")
    assert "mAP" in result.stderr
    manifest = read_bundle(tmp_path / "x.bundle").manifest
    assert manifest.task == "multi-label"
    assert manifest.classes.names == ("disc", "even", "frame", "stripe")
    assert 0 < manifest.metrics[0].map <= 1


def test_rates_are_tried_and_nothing_written(shapes, tmp_path):
    output = tmp_path / "x.bundle"
    result = _run(shapes, *_QUICK, "--output", output, "--find-lr")
    assert "← suggested" in result.stdout
    assert "Train with: --lr" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_budget_shortens_the_run(shapes, tmp_path):
    output = tmp_path / "x.bundle"
    result = _run(shapes, *_QUICK[2:], "--epochs", 5000, "--budget", "3s", "--output", output)
    assert "allows" in result.stderr
    assert len(json.loads((output.with_suffix(".run") / "run.json").read_text())["chosen"]) > 0


def test_an_interrupt_is_told_and_leaves_no_bundle(shapes, tmp_path, monkeypatch):
    from residua.train import run

    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "fit", interrupt)
    result = _run(shapes, *_QUICK, "--output", tmp_path / "x.bundle", expect=130)
    assert "x.bundle was not written" in result.stderr
    assert not (tmp_path / "x.bundle").exists()


def test_a_run_that_failed_leaves_no_lock(shapes, tmp_path):
    """In a process of its own, whose end is what lets go."""
    output = tmp_path / "x.bundle"
    command = [sys.executable, "-m", "residua", "train", str(shapes), *_QUICK]
    result = subprocess.run(
        [*command, "--output", str(output), "--lr", "1e30", "--device", "cpu"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "diverged" in result.stderr
    assert result.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.run"]
    assert ".lock" not in [path.name for path in output.with_suffix(".run").iterdir()]


def test_a_tracker_without_a_key_ends_it_before_the_first_update(shapes, tmp_path, monkeypatch):
    from residua.train import run

    def refuse(**_options):
        raise ValueError("API key must be 40 characters long, yours was 3")

    library = types.ModuleType("wandb")
    library.init, library.errors = refuse, types.SimpleNamespace(Error=RuntimeError)
    monkeypatch.setitem(sys.modules, "wandb", library)
    monkeypatch.setattr(run, "fit", None)
    with pytest.raises(SettingError, match=r"yours was 3\nLog in"):
        _run(shapes, *_QUICK, "--output", tmp_path / "x.bundle", "--track", "wandb")
