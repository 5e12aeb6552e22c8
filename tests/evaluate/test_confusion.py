"""Figures of classes against scikit-learn, on random answers and at the edges."""

import csv
import io

import numpy as np
import pytest

from residua.evaluate.confusion import Confused, class_figures, most_confused, spell_matrix
from residua.evaluate.metrics import Tally

metrics = pytest.importorskip("sklearn.metrics")


def _tally(labels, answers, classes):
    """A tally of answers without doubt."""
    tally = Tally(classes)
    tally.add(np.eye(classes, dtype=np.float32)[answers], np.asarray(labels))
    return tally


CASES = {
    "random": (*np.random.default_rng(0).integers(0, 7, (2, 300)), 7),
    "class without pictures, answered": ([0, 0, 2, 2, 2], [0, 1, 2, 1, 0], 3),
    "class without pictures, never answered": ([0, 0, 2], [0, 2, 2], 4),
    "class never answered": ([0, 1, 1, 2], [0, 0, 0, 0], 3),
    "one class of pictures": ([1, 1, 1], [1, 0, 1], 2),
    "one class at all": ([0, 0], [0, 0], 1),
    "all wrong": ([0, 1, 2], [1, 2, 0], 3),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_scikit_learn(case):
    labels, answers, classes = CASES[case]
    tally = _tally(labels, answers, classes)
    if classes > 1:  # scikit-learn warns of matrices of one cell
        expected = metrics.confusion_matrix(labels, answers, labels=np.arange(classes))
        np.testing.assert_array_equal(tally.confusion, expected)
    each = metrics.precision_recall_fscore_support(
        labels, answers, labels=np.arange(classes), zero_division=0
    )
    figures = tally.figures
    for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        np.testing.assert_allclose(getattr(figures, name), values, err_msg=name)
    for average in ("macro", "weighted"):
        means = metrics.precision_recall_fscore_support(
            labels, answers, labels=np.unique(labels), average=average, zero_division=0
        )[:3]
        for name, value in zip(("precision", "recall", "f1"), means, strict=True):
            assert figures.mean(name, weighted=average == "weighted") == pytest.approx(value)
    assert figures.mean("recall", weighted=True) == pytest.approx(tally.top1)


def test_equal_probabilities_go_to_the_lower_class():
    tally = Tally(3)
    tally.add(np.full((3, 3), 1 / 3, np.float32), np.arange(3))
    assert tally.confusion.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_what_is_no_number_is_no_answer_but_a_picture():
    tally = Tally(2)
    tally.add(np.array([[np.nan, 1], [0, 1]], np.float32), np.array([1, 1]))
    assert tally.confusion.tolist() == [[0, 0], [0, 1]]
    assert tally.figures.recall.tolist() == [0, 0.5]
    assert tally.reliability.answers.sum() == 1


def test_the_most_confused_come_first_and_right_answers_never():
    matrix = np.array([[90, 5, 0], [5, 50, 7], [0, 0, 3]])
    images = np.array([95, 62, 3])
    assert most_confused(matrix, images) == (
        Confused(1, 2, 7, 62), Confused(0, 1, 5, 95), Confused(1, 0, 5, 62)
    )  # fmt: skip
    assert most_confused(matrix, images, 1) == (Confused(1, 2, 7, 62),)
    assert most_confused(np.diag([3, 4]), np.array([3, 4])) == ()


def test_figures_of_nothing_are_zero():
    none = np.zeros(2, np.int64)
    figures = class_figures(none, none, none)
    assert figures.precision.tolist() == figures.recall.tolist() == figures.f1.tolist() == [0, 0]


def test_the_matrix_is_read_back_from_csv():
    matrix, names = np.array([[3, 1], [0, 2]]), ['a "b", c', "d"]
    rows = list(csv.reader(io.StringIO(spell_matrix(matrix, names))))
    assert rows[0] == ["class", *names]
    assert [row[0] for row in rows[1:]] == names
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == matrix.tolist()
