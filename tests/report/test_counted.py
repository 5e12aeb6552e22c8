"""Figures of the head, classes and confusion, against scipy, scikit-learn and counts by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from residua.bundle.schema import Classes, Metrics
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import count_labels
from residua.report.counted import (
    bound_share,
    cut_confusion,
    list_classes,
    list_figures,
    spell_classes,
)


@pytest.mark.parametrize(("right", "total"), [(641, 736), (0, 9), (5, 5), (1, 2), (49_000, 50_000)])
def test_the_interval_is_wilsons(right, total):
    expected = binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert bound_share(right, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def make_tally(classes=4, pictures=60, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes - 1, pictures)  # the last class has no pictures
    logits = random.normal(size=(pictures, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tally = Tally(classes)
    tally.add(probabilities.astype(np.float32), labels)
    return tally, labels, probabilities.argmax(axis=1)


def test_the_classes_are_scikit_learns_weakest_first():
    tally, labels, given = make_tally()
    rows = list_classes(tally, Classes(names=("a", "b", "c", "d")))
    expected = precision_recall_fscore_support(labels, given, labels=[0, 1, 2], zero_division=0)
    found = {row.name: (row.precision, row.recall, row.f1, row.pictures) for row in rows}
    assert set(found) == {"a", "b", "c"}
    for label, name in enumerate("abc"):
        assert found[name] == pytest.approx([values[label] for values in expected])
    assert [row.f1 for row in rows] == sorted(row.f1 for row in rows)


def test_the_head_has_a_top5_only_where_it_says_something():
    metrics = Metrics(source="measured", data="x", images=60)
    few, many = (list_figures(metrics, make_tally(count)[0]) for count in (4, 9))
    assert [figure.label for figure in few][:2] == ["Top-1", "Loss"]
    assert [figure.label for figure in many][:3] == ["Top-1", "Top-5", "Loss"]


def test_the_head_of_multi_label_figures():
    probabilities = np.array([[0.9, 0.2], [0.4, 0.7], [0.8, 0.1]], np.float32)
    labels = np.array([[True, False], [True, True], [False, False]])
    counts = count_labels(probabilities, labels)
    figures = {f.label: f.value for f in list_figures(
        Metrics(source="measured", data="x", images=3), counts
    )}  # fmt: skip
    # Class 0 by probability: right, wrong, right: (1 + 2/3) / 2; class 1: 1. Picture 0 alone is
    # right in both classes.
    assert figures["mAP"] == "91.7\u202f%"
    assert figures["All right"] == "33.3\u202f%"
    rows = list_classes(counts, Classes(names=("a", "b")))
    assert [row.name for row in rows] == ["a", "b"]
    assert rows[0].average_precision == pytest.approx(5 / 6)


def test_classes_that_share_a_name_are_told_apart():
    classes = Classes(names=("crane", "crane", "crab"), ids=("n1", "n2", "n3"))
    assert spell_classes(classes) == ("crane (n1)", "crane (n2)", "crab")


def test_a_small_matrix_is_whole():
    matrix = np.arange(9).reshape(3, 3)
    confusion = cut_confusion(matrix, ("a", "b", "c"))
    assert confusion.whole
    assert (confusion.counts == matrix).all()
    assert confusion.right == (0, 1, 2)


def test_of_many_classes_the_most_confused_are_shown_and_no_picture_is_lost():
    random = np.random.default_rng(3)
    matrix = np.diag(random.integers(5, 20, 60))
    matrix[7, 50] = 9
    matrix[50, 7] = 4
    matrix[33, 12] = 8
    matrix[12] = 0  # no pictures of it, but it is answered
    sprinkled = random.integers(0, 60, (40, 2))
    matrix[sprinkled[:, 0], sprinkled[:, 1]] += 1
    matrix[12] = 0
    names = tuple(f"class {number}" for number in range(60))
    confusion = cut_confusion(matrix, names)
    assert not confusion.whole
    assert len(confusion.columns) <= 19
    assert {"class 7", "class 50", "class 33"} <= set(confusion.rows)
    assert "class 12" in confusion.columns
    assert "class 12" not in confusion.rows
    assert confusion.columns[-1] == "others"
    for row, name in enumerate(confusion.rows):
        label = names.index(name)
        assert confusion.counts[row].sum() == matrix[label].sum()
        assert confusion.counts[row, confusion.right[row]] == matrix[label, label]


def test_a_faultless_matrix_of_many_classes_has_no_block():
    assert not cut_confusion(np.eye(40, dtype=np.int64), tuple(map(str, range(40)))).rows
