"""residua evaluate: figures of a bundle on a folder."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from data.shapes import write_shapes
from making import make_bundle
from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Preprocess
from residua.bundle.store import amend_bundle, read_bundle, write_bundle
from residua.cli.main import app
from residua.data.sources.folder import read_folder
from residua.predict.classifier import Classifier


@pytest.fixture
def root(tmp_path):
    """Pictures in folders of the names that ``make_bundle`` gives to its classes."""
    shapes = write_shapes(tmp_path / "shapes", count=6)
    for number, name in enumerate(("disc", "frame", "stripe")):
        (shapes / name).rename(shapes / f"class {number}")
    return shapes


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(
        tmp_path / "x.bundle", num_classes=6, widths=(8, 8, 16, 16),
        preprocess=Preprocess(crop_size=32, short_side=32),
    )  # fmt: skip


def _run(*arguments, expect=0):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def test_the_figures_are_those_of_prediction(root, bundle):
    record = json.loads(_run(bundle.path, root, "--json").stdout)
    right = near = 0
    losses = []
    for label in range(3):
        for prediction in Classifier(bundle).predict(root / f"class {label}", top_k=6):
            right += prediction.class_ids[0] == label
            near += label in prediction.class_ids[:5]
            losses.append(-np.log(prediction.scores[prediction.class_ids.index(label)]))
    assert record["right"] == right
    assert record["top1"] == right / 18
    assert record["top5"] == near / 18
    assert record["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert record["images"] == 18
    assert record["notes"] == [
        f"{root} has no pictures of 3 of 6 classes: class 3, class 4, class 5."
    ]


def test_a_table_of_other_columns_is_read_as_told(root, bundle, tmp_path):
    rows = [(path, path.parent.name) for path in sorted(root.rglob("*.png"))]
    assert rows
    table = tmp_path / "birds.csv"
    lines = ["photo,species", *(f"{path},{name}" for path, name in rows)]
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"data\.\w+_column"):
        _run(bundle.path, table)
    told = ("--override", "data.image_column=photo", "--override", "data.label_column=species")
    by_table = json.loads(_run(bundle.path, table, *told, "--json").stdout)
    by_folder = json.loads(_run(bundle.path, root, "--json").stdout)
    assert by_table["top1"] == by_folder["top1"]
    assert by_table["right"] == by_folder["right"]


def test_the_table_is_for_people(root, bundle):
    result = _run(bundle.path, root)
    assert "18 pictures of 3 classes, 32 pixels" in result.stdout
    assert "top-5" in result.stdout
    assert "no pictures of 3 of 6 classes" in result.stdout
    assert "Evaluating all of" in result.stderr


def test_an_unreadable_picture_is_an_error_record_and_exit_code_3(root, bundle):
    (root / "class 1" / "000.png").write_bytes(b"no picture")
    record = json.loads(_run(bundle.path, root, "--json", expect=3).stdout)
    assert record["images"] == 17
    assert record["errors"][0]["filename"] == "class 1/000.png"
    assert record["errors"][0]["reason"] == "not-an-image"


def test_a_class_that_the_model_lacks_is_refused(root, bundle):
    (root / "class 2").rename(root / "klass 2")
    with pytest.raises(DataError, match="klass 2"):
        _run(bundle.path, root)


def test_imagenet_weights_on_photos_reach_the_golden_counts(shared_data, tmp_path):
    """Folders are named by synset here, not by class name."""
    lines = (shared_data / "photos" / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        file, _, synset, _ = line.split("\t")
        folder = tmp_path / "photos" / synset
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).symlink_to(shared_data / "photos" / file)
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    record = json.loads(_run(weights, tmp_path / "photos", "--json").stdout)
    golden = json.loads((shared_data / "weights" / "golden.json").read_text())
    assert record["images"] == 60
    assert record["right"] == round(record["top1"] * 60) == golden["top1_count"]
    assert round(record["top5"] * 60) == golden["top5_count"]


def test_imagenet_weights_on_flowers_know_daisies_only(shared_data):
    with pytest.raises(DataError, match="4 of 5 class folders"):
        _run(shared_data / "weights" / "imagenet-resnet18-test.safetensors",
             shared_data / "flowers5" / "val")  # fmt: skip


def test_calibration_is_stored_and_honoured(root, bundle, tmp_path):
    plain = amend_bundle(bundle, {}, output=tmp_path / "plain.bundle")
    _run(plain.path, root, "--calibrate")
    tensors = bundle.tensors()
    for name in ("head.weight", "head.bias"):
        tensors[name] *= 4  # four times as sure of the same answers
    bundle = write_bundle(bundle.path, bundle.manifest, tensors, overwrite=True)
    _run(bundle.path, root, "--save-predictions", tmp_path / "before.jsonl")
    record = json.loads(_run(bundle.path, root, "--calibrate", "--json").stdout)
    calibration = read_bundle(bundle.path).manifest.calibration
    temperature = calibration.temperature
    expected = 4 * read_bundle(plain.path).manifest.calibration.temperature
    assert temperature == pytest.approx(expected, rel=1e-4)
    assert record["calibration"]["temperature"] == temperature
    assert calibration.loss < calibration.loss_before
    assert (record["loss"], record["ece"]) == (calibration.loss, calibration.ece)
    assert calibration.images == 18
    assert calibration.data_sha256 == record["data_sha256"]
    # What evaluate and predict say from now on.
    after = json.loads(_run(bundle.path, root, "--json").stdout)
    assert after["loss"] == pytest.approx(calibration.loss, abs=1e-5)
    assert after["top1"] == record["top1"]
    assert "calibrated: temperature" in _run(bundle.path, root).stdout
    lines = (tmp_path / "before.jsonl").read_text().splitlines()
    old = {row["filename"]: row["answers"][0]["probability"] for row in map(json.loads, lines)}
    classifier = Classifier(read_bundle(bundle.path))
    for prediction in classifier.predict(root):
        name = str(prediction.filename).removeprefix(f"{root}/")
        assert prediction.scores[0] < old[name]
    # Fitted anew it is fitted to the same logits, not to what the first one left.
    text = _run(bundle.path, root, "--calibrate").stdout
    assert f"temperature {temperature:.4g} (was {temperature:.4g})" in text
    assert "held out" in text
    refitted = read_bundle(bundle.path).manifest
    assert refitted.calibration.temperature == pytest.approx(temperature, rel=1e-6)
    assert len(refitted.metrics) == 1  # of the same pictures, not one a run


def test_a_copy_takes_the_temperature(root, bundle, tmp_path):
    _run(bundle.path, root, "--calibrate", "--output", tmp_path / "y.bundle")
    assert read_bundle(bundle.path).manifest.calibration.temperature == 1
    assert read_bundle(tmp_path / "y.bundle").manifest.calibration.temperature != 1
    with pytest.raises(SettingError, match="exists already"):
        _run(bundle.path, root, "--calibrate", "--output", tmp_path / "y.bundle")


def test_nothing_in_the_cache_is_changed(root, bundle, tmp_path, monkeypatch):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(bundle.weights_path.read_bytes())
    read_only = tmp_path / "published"
    read_only.mkdir()
    bundle.path.rename(read_only / "x.bundle")
    monkeypatch.setenv("RESIDUA_WEIGHTS_PATH", str(read_only))
    with pytest.raises(SettingError, match=r"--output NAME\.bundle"):
        _run(read_only / "x.bundle", root, "--calibrate")
    with pytest.raises(SettingError, match=r"--output NAME\.bundle"):
        _run(read_only / "x.bundle", root, "--sizes", "32", "--write-size")


def test_sizes_are_shown_and_the_best_is_written(root, bundle):
    record = json.loads(_run(bundle.path, root, "--sizes", "24,40", "--json").stdout)
    assert [row["image_size"] for row in record["sizes"]] == [24, 32, 40]  # 32 is the present one
    assert [row["short_side"] for row in record["sizes"]] == [24, 32, 40]
    plain = json.loads(_run(bundle.path, root, "--json").stdout)
    assert record["sizes"][1]["top1"] == plain["top1"]
    assert record["sizes"][1]["loss"] == pytest.approx(plain["loss"])
    assert read_bundle(bundle.path).manifest == bundle.manifest
    text = _run(bundle.path, root, "--sizes", "24..40:8", "--write-size").stdout
    manifest = read_bundle(bundle.path).manifest
    chosen = record["chosen"]
    assert f"Wrote {chosen} pixels into" in text
    assert (manifest.preprocess.crop_size, manifest.preprocess.short_side) == (chosen, chosen)
    assert manifest.metrics[-1].image_size == chosen
    assert f"Test size {chosen}" in manifest.provenance.notes[-1]
    best = next(row for row in record["sizes"] if row["image_size"] == chosen)
    assert json.loads(_run(bundle.path, root, "--json").stdout)["top1"] == best["top1"]


def test_a_single_size_is_written_as_asked(root, bundle):
    record = json.loads(_run(bundle.path, root, "--sizes", "24", "--write-size", "--json").stdout)
    assert [row["image_size"] for row in record["sizes"]] == [24, 32]
    assert (record["chosen"], record["reason"]) == (24, "24 pixels, as asked.")
    manifest = read_bundle(bundle.path).manifest
    assert manifest.preprocess.crop_size == manifest.metrics[-1].image_size == 24


def test_calibration_on_pictures_trained_on_is_refused(root, bundle):
    origin = bundle.manifest.provenance.model_copy(
        update={"training_sha256": read_folder(root).listing_sha256(), "source": "elsewhere"}
    )
    trained = amend_bundle(bundle, {"provenance": origin, "recipe": {"data": {}}})
    assert "the figures say little about others" in _run(trained.path, root).stderr
    with pytest.raises(SettingError, match="was trained on") as caught:
        _run(trained.path, root, "--calibrate")
    assert "--part val" in str(caught.value)
    assert read_bundle(trained.path).manifest.calibration.temperature == 1
    (root / "class 0" / "000.png").unlink()
    _run(trained.path, root, "--calibrate")  # other pictures, as far as can be told


def test_predictions_and_confusion_are_written(root, bundle, tmp_path):
    (root / "class 1" / "000.png").write_bytes(b"no picture")
    _run(bundle.path, root, "--save-predictions", tmp_path / "p.csv",
         "--confusion", tmp_path / "c.csv", expect=3)  # fmt: skip
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 17
    by_name = {row["filename"]: row for row in rows}
    for prediction in Classifier(bundle).predict(root / "class 2"):
        row = by_name[f"class 2/{Path(prediction.filename).name}"]
        assert row["class_1"] == prediction.label_names[0]
        assert float(row["probability_1"]) == pytest.approx(prediction.scores[0], abs=1e-5)
        assert row["label"] == "class 2"
        assert row["right"] == str(int(row["class_1"] == "class 2"))
    with (tmp_path / "c.csv").open(newline="") as file:
        matrix = list(csv.reader(file))
    assert matrix[0][1:] == [f"class {number}" for number in range(6)]
    assert [sum(map(int, row[1:])) for row in matrix[1:]] == [6, 5, 6, 0, 0, 0]
    answers = [row["class_1"] for row in rows if row["label"] == "class 0"]
    assert [int(cell) for cell in matrix[1][1:]] == [answers.count(f"class {n}") for n in range(6)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--write-size"], "--sizes 160"),
        (["--sizes", "24", "--calibrate"], "of its own"),
        (["--sizes", "big"], "no sizes"),
        (["--output", "y.bundle"], "leave --output out"),
        (["--save-predictions", "x.xls"], r"\.csv or \.jsonl"),
        (["--confusion", "x.png"], r"end in \.csv"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(options, message, root, bundle):
    with pytest.raises(SettingError, match=message):
        _run(bundle.path, root, *options)


def test_a_multi_label_bundle_is_evaluated_class_by_class(root, bundle, tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    manifest = bundle.manifest.model_copy(update={"task": "multi-label"})
    several = write_bundle(tmp_path / "several.bundle", manifest, bundle.tensors())
    files = sorted(path.relative_to(root) for path in root.rglob("*.png"))
    scores = np.zeros((len(files), 6))
    predictions = Classifier(several).predict([root / file for file in files], threshold=0)
    for place, prediction in enumerate(predictions):
        scores[place, prediction.class_ids] = prediction.scores
    # Labels that the network is right about more often than not, but not as often as it thinks.
    truth = np.random.default_rng(0).random(scores.shape) < 0.15 + 0.7 * scores
    truth[truth.sum(1) == 0, 0] = True
    names = [[f"class {n}" for n in np.flatnonzero(row)] for row in truth]
    rows = [{"image": str(f), "label": own} for f, own in zip(files, names, strict=True)]
    table = root / "labels.jsonl"
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    record = json.loads(_run(several.path, table, "--json").stdout)
    assert "top1" not in record
    assert record["map"] == pytest.approx(metrics.average_precision_score(truth, scores), abs=1e-3)
    expected = metrics.f1_score(truth, scores >= 0.5, average="macro", zero_division=0)
    assert record["f1"] == pytest.approx(expected)
    assert "mAP" in _run(several.path, table).stdout
    assert "mAP" in _run(several.path, table, "--sizes", "24,32").stdout
    _run(several.path, table, "--calibrate")
    calibration = read_bundle(several.path).manifest.calibration
    assert calibration.loss < calibration.loss_before
    after = json.loads(_run(several.path, table, "--json").stdout)
    assert after["loss"] == pytest.approx(calibration.loss, abs=1e-4)
    with pytest.raises(SettingError, match="one class a picture"):
        _run(several.path, table, "--confusion", tmp_path / "c.csv")


@pytest.mark.slow
def test_two_processes_print_once_what_one_prints(root, bundle):
    (root / "class 1" / "000.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "residua", "evaluate", str(bundle.path), str(root), "--json"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    one = subprocess.run(command, capture_output=True, text=True, check=False)
    two = subprocess.run([*launch, *command[1:]], capture_output=True, text=True, check=False)
    assert one.returncode == 3
    assert two.returncode == 0  # torchrun would make a crash of any other
    assert two.stderr.count("1 picture cannot be read; the exit code of several") == 1
    assert "Traceback" not in two.stderr
    (line,) = (line for line in two.stdout.splitlines() if line.startswith("{"))
    alone, both = json.loads(one.stdout), json.loads(line)
    assert both.pop("loss") == pytest.approx(alone.pop("loss"), abs=1e-5)
    for name in ("images", "top1", "top5", "confusion", "data_sha256", "errors", "per_class"):
        assert both[name] == alone[name]
