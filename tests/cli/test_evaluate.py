"""residua evaluate: figures of a bundle on a folder."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from data.shapes import write_shapes
from making import make_bundle
from residua.base.errors import DataError
from residua.bundle.schema import Preprocess
from residua.cli.main import app
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
