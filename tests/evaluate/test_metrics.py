"""Figures against scikit-learn and against counting by hand."""

import numpy as np
import pytest

from residua.evaluate.metrics import Tally, rank_labels


def _random(rows, classes, seed=0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, classes)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = generator.integers(0, classes, rows)
    return probabilities.astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 5, 6, 40])
def test_figures_are_those_of_scikit_learn(classes):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = _random(500, classes)
    tally = Tally(classes)
    tally.add(probabilities, labels)
    known = np.arange(classes)
    answers = probabilities.argmax(1)
    assert tally.top1 == pytest.approx(metrics.accuracy_score(labels, answers))
    if classes > 5:
        expected = metrics.top_k_accuracy_score(labels, probabilities, k=5, labels=known)
        assert tally.top5 == pytest.approx(expected)
    else:
        assert tally.top5 == 1
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    assert tally.loss == pytest.approx(metrics.log_loss(labels, exact, labels=known), rel=1e-6)
    recall = metrics.recall_score(labels, answers, average=None, labels=known)
    np.testing.assert_allclose(tally.right / tally.images, recall)


def test_parts_add_up_to_the_whole():
    probabilities, labels = _random(101, 7)
    whole, parts, other = Tally(7), Tally(7), Tally(7)
    whole.add(probabilities, labels)
    parts.add(probabilities[:40], labels[:40])
    other.add(probabilities[40:], labels[40:])
    parts.merge(other)
    for name in ("images", "right", "near"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert whole.loss == pytest.approx(parts.loss)


def test_equal_probabilities_are_ordered_by_class():
    probabilities = np.array([[0.3, 0.4, 0.3], [0.2, 0.4, 0.4]], dtype=np.float32)
    for label, ranks in ((0, [1, 2]), (1, [0, 0]), (2, [2, 1])):
        assert rank_labels(probabilities, np.array([label, label])).tolist() == ranks
    stable = np.argsort(-probabilities, axis=1, kind="stable")
    for row in range(2):
        for label in range(3):
            place = stable[row].tolist().index(label)
            assert rank_labels(probabilities[row : row + 1], np.array([label]))[0] == place


def test_what_is_no_number_is_wrong():
    tally = Tally(2)
    tally.add(np.array([[np.nan, 1.0], [0.0, 1.0]], dtype=np.float32), np.array([0, 0]))
    assert tally.top1 == 0
    assert tally.near.tolist() == [1, 0]
    # Both count as the smallest float32: 87.3 nats.
    assert tally.loss == pytest.approx(-np.log(1.1754943508222875e-38))
