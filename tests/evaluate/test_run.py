"""Evaluation counts each picture once, and says what it could not count."""

import json

import numpy as np
import pytest

from data.shapes import write_shapes
from residua.base.errors import DataError
from residua.bundle.schema import Classes, Preprocess
from residua.data.folder import read_folder
from residua.data.view import EvaluationView
from residua.evaluate.run import evaluate
from residua.evaluate.table import as_record, render

_PREPROCESS = Preprocess(crop_size=16, short_side=16)


class _ByColour:
    """Names a shape by its strongest colour, and counts how often it is asked."""

    def __init__(self):
        self.images = 0

    def __call__(self, batch):
        self.images += len(batch)
        spread = batch.reshape(len(batch), -1, 3).astype(np.float64)
        colour = (spread - spread.mean(2, keepdims=True)).max(1)
        return (np.exp(colour / 20) / np.exp(colour / 20).sum(1, keepdims=True)).astype(np.float32)


@pytest.fixture
def root(tmp_path):
    return write_shapes(tmp_path / "shapes", count=7)


@pytest.mark.parametrize("batch_size", [1, 4, 21, 100])
def test_each_picture_counts_once(root, batch_size):
    network = _ByColour()
    result = evaluate(
        network, EvaluationView(read_folder(root), _PREPROCESS), batch_size=batch_size
    )
    assert network.images == result.tally.total == 21
    assert result.tally.images.tolist() == [7, 7, 7]
    assert result.metrics.top1 == 1.0
    assert result.metrics.per_class == {"disc": 1, "frame": 1, "stripe": 1}


def test_unreadable_pictures_are_listed_and_in_no_figure(root):
    (root / "frame" / "002.png").write_bytes(b"no picture")
    source = read_folder(root)
    result = evaluate(_ByColour(), EvaluationView(source, _PREPROCESS))
    assert result.tally.images.tolist() == [7, 6, 7]
    (failure,) = result.failures
    assert (source.names[failure.index], failure.reason) == ("frame/002.png", "not-an-image")
    assert "1 pictures cannot be read" in render(result, source)
    (error,) = as_record(result, source)["errors"]
    assert (error["filename"], error["reason"]) == ("frame/002.png", "not-an-image")


def test_nothing_readable_is_an_error(root):
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="None of the 21 pictures"):
        evaluate(_ByColour(), EvaluationView(read_folder(root), _PREPROCESS))


def test_a_class_without_pictures_shifts_nothing(root):
    classes = Classes(names=("disc", "blob", "frame", "stripe"))
    source = read_folder(root, classes)

    def network(batch):
        answers = _ByColour()(batch)
        return np.insert(answers, 1, 0, axis=1)

    result = evaluate(network, EvaluationView(source, _PREPROCESS))
    assert result.metrics.top1 == 1.0
    assert "blob" not in result.metrics.per_class
    assert "no pictures of 1 of 4 classes: blob" in render(result, source)


def test_another_number_of_outputs_is_refused(root):
    view = EvaluationView(read_folder(root), _PREPROCESS)
    with pytest.raises(DataError, match="classes of the bundle"):
        evaluate(lambda batch: np.zeros((len(batch), 5), np.float32), view)


def test_the_table_shows_the_weakest_first(root):
    source = read_folder(root)

    def network(batch):
        answers = _ByColour()(batch)
        return np.roll(answers, 1, axis=1) * 0.5 + answers * 0.5 + np.array([0.1, 0, 0], np.float32)

    text = render(evaluate(network, EvaluationView(source, _PREPROCESS)), source).splitlines()
    assert "21 pictures of 3 classes, 16 pixels" in text[0]
    assert "top-3" in text[2]
    assert "100.00%" in text[2]
    shares = [float(line.split()[-1].rstrip("%")) for line in text[6:9]]
    assert shares == sorted(shares)


def test_the_record_is_json(root):
    source = read_folder(root)
    result = evaluate(_ByColour(), EvaluationView(source, _PREPROCESS))
    record = json.loads(json.dumps(as_record(result, source)))
    assert record["top1"] == 1
    assert record["images"] == 21
    assert [row["class"] for row in record["per_class"]] == ["disc", "frame", "stripe"]


def test_classes_of_one_name_are_told_apart_by_id(root):
    classes = Classes(names=("x", "x", "stripe"), ids=("disc", "frame", "stripe"))
    result = evaluate(_ByColour(), EvaluationView(read_folder(root, classes), _PREPROCESS))
    assert result.metrics.per_class == {"disc": 1, "frame": 1, "stripe": 1}
