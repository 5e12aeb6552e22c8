"""Evaluation counts each picture once, and says what it could not count."""

import json
from dataclasses import replace

import numpy as np
import pytest

from data.shapes import write_shapes
from evaluate.together import run_together
from residua.base.errors import DataError
from residua.bundle.schema import Classes, Preprocess
from residua.data.sources.folder import read_folder
from residua.data.view import EvaluationView
from residua.evaluate.ranks import SINGLE
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
    assert "top-1" in text[1]
    assert not any("top-5" in line for line in text)  # of three classes all are among the best five
    start = next(number for number, line in enumerate(text) if "accuracy" in line) + 1
    shares = [float(line.split()[3].rstrip("%")) for line in text[start : start + 3]]
    assert shares == sorted(shares)
    assert shares[0] < 100
    assert any("taken for" in line for line in text)


def test_the_record_is_json(root):
    source = read_folder(root)
    result = evaluate(_ByColour(), EvaluationView(source, _PREPROCESS))
    record = json.loads(json.dumps(as_record(result, source)))
    assert record["top1"] == 1
    assert record["images"] == 21
    assert [row["class"] for row in record["per_class"]] == ["disc", "frame", "stripe"]
    assert record["confusion"] == [[7, 0, 0], [0, 7, 0], [0, 0, 7]]
    assert sum(row["answers"] for row in record["reliability"]) == 21


def test_classes_of_one_name_are_told_apart_by_id(root):
    classes = Classes(names=("x", "x", "stripe"), ids=("disc", "frame", "stripe"))
    result = evaluate(_ByColour(), EvaluationView(read_folder(root, classes), _PREPROCESS))
    assert result.metrics.per_class == {"disc": 1, "frame": 1, "stripe": 1}


@pytest.mark.parametrize("world", [2, 3, 25])
def test_every_process_gets_the_figures_of_one(root, world):
    """Of 21 pictures, one of them unreadable; with 25 processes some have none."""
    (root / "frame" / "002.png").write_bytes(b"no picture")
    source = read_folder(root)

    def work(ranks):
        network = _ByColour()
        view = EvaluationView(source, _PREPROCESS)
        result = evaluate(network, view, batch_size=4, ranks=ranks, keep_probabilities=True)
        return result, network.images

    alone, seen = work(SINGLE)
    results = run_together(world, work)
    assert sum(images for _, images in results) == seen == 20
    for result, _ in results:
        assert result.metrics == alone.metrics.model_copy(update={"loss": result.metrics.loss})
        assert result.metrics.loss == pytest.approx(alone.metrics.loss, rel=1e-12)
        assert result.metrics == results[0][0].metrics
        assert result.failures == alone.failures
        np.testing.assert_array_equal(result.tally.confusion, alone.tally.confusion)
        np.testing.assert_array_equal(result.scores.indices, alone.scores.indices)
        np.testing.assert_array_equal(result.scores.probabilities, alone.scores.probabilities)


def test_scores_are_kept_when_asked_for(root):
    view = EvaluationView(read_folder(root), _PREPROCESS)
    assert evaluate(_ByColour(), view).scores is None
    scores = evaluate(_ByColour(), view, batch_size=5, keep_probabilities=True).scores
    assert scores.indices.tolist() == list(range(21))
    assert scores.right(view.source).all()
    assert scores.probabilities.dtype == np.float32


def _several(source):
    """The same pictures, each of its class and the one after it."""
    own = source.labels[:, None] == np.arange(3)
    return replace(source, labels=own | np.roll(own, 1, axis=1))


def test_multi_label_pictures_are_counted_class_by_class(root):
    source = _several(read_folder(root))
    view = EvaluationView(source, _PREPROCESS)
    result = evaluate(_ByColour(), view, batch_size=4)
    metrics = result.metrics
    assert (metrics.top1, metrics.top5) == (None, None)
    assert result.counts.applying.tolist() == [14, 14, 14]
    # The network is sure of the first class of each picture and denies the second.
    assert (metrics.recall, metrics.precision, metrics.exact) == (0.5, 1.0, 0.0)
    assert metrics.micro_f1 == pytest.approx(2 / 3)
    assert set(metrics.per_class) == {"disc", "frame", "stripe"}
    assert metrics.map == pytest.approx(np.mean(list(metrics.per_class.values())))
    with pytest.raises(TypeError, match="multi-label"):
        _ = result.tally
    text, record = render(result, source), as_record(result, source)
    assert "mAP" in text
    assert "top-1" not in text
    assert "confusion" not in json.loads(json.dumps(record))
    assert record["per_class"][0]["average_precision"] == metrics.per_class["disc"]
    shared = run_together(3, lambda ranks: evaluate(_ByColour(), view, ranks=ranks).metrics)
    assert shared == [metrics] * 3


def test_networks_and_labels_of_different_kinds_are_refused(root):
    source = read_folder(root)
    with pytest.raises(DataError, match="answers any number of classes"):
        evaluate(_ByColour(), EvaluationView(source, _PREPROCESS), multi_label=True)
    with pytest.raises(DataError, match="labelled with any number"):
        evaluate(_ByColour(), EvaluationView(_several(source), _PREPROCESS), multi_label=False)
