"""Figures of multi-label pictures against scikit-learn and torch."""

import numpy as np
import pytest
import torch

from residua.evaluate.multilabel import average_precision, count_labels

metrics = pytest.importorskip("sklearn.metrics")


def _random(rows=200, classes=6, seed=0, ties=False):
    generator = np.random.default_rng(seed)
    labels = generator.random((rows, classes)) < 0.3
    scores = np.clip(generator.normal(0.35, 0.2, (rows, classes)) + 0.25 * labels, 0, 1)
    if ties:
        scores = np.round(scores, 1)
    return scores.astype(np.float32), labels


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(ties):
    scores, labels = _random(ties=ties)
    tally = count_labels(scores, labels)
    each = metrics.average_precision_score(labels, scores, average=None)
    np.testing.assert_allclose(tally.precisions, each)
    assert tally.map == pytest.approx(metrics.average_precision_score(labels, scores))
    micro = metrics.average_precision_score(labels, scores, average="micro")
    assert tally.micro_precision == pytest.approx(micro)
    answers = scores >= 0.5
    assert tally.micro_f1 == pytest.approx(metrics.f1_score(labels, answers, average="micro"))
    figures = tally.figures
    rows = metrics.precision_recall_fscore_support(labels, answers, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), rows, strict=True):
        np.testing.assert_allclose(getattr(figures, name), values)
    assert tally.exact / tally.total == pytest.approx(metrics.accuracy_score(labels, answers))


def test_the_loss_is_that_of_torch():
    scores, labels = _random(seed=3)
    scores = scores.clip(0.001, 0.999)
    expected = torch.nn.functional.binary_cross_entropy(
        torch.from_numpy(scores).double(), torch.from_numpy(labels).double()
    )
    assert count_labels(scores, labels).loss == pytest.approx(float(expected), rel=1e-9)


def test_a_class_that_never_applies_enters_no_mean():
    scores, labels = _random()
    labels[:, 2] = False
    tally = count_labels(scores, labels)
    assert np.isnan(tally.precisions[2])
    others = [0, 1, 3, 4, 5]
    expected = metrics.average_precision_score(labels[:, others], scores[:, others])
    assert tally.map == pytest.approx(expected)
    macro = metrics.f1_score(labels[:, others], scores[:, others] >= 0.5, average="macro")
    assert tally.figures.mean("f1") == pytest.approx(macro)


def test_no_class_at_all():
    tally = count_labels(np.full((3, 2), 0.2, np.float32), np.zeros((3, 2), bool))
    assert tally.map is None
    assert (tally.micro_f1, tally.exact) == (0, 3)
    assert tally.loss == pytest.approx(-np.log(0.8))


def test_average_precision_by_hand():
    # In falling order: right, wrong, right: 1/2 · 1/1 + 1/2 · 2/3.
    scores = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    applies = np.array([True, False, True, False])
    assert average_precision(scores, applies) == pytest.approx(0.5 + 1 / 3)
    # All equal: one threshold, at which the precision is the share that applies.
    assert average_precision(np.full(4, 0.5, np.float32), applies) == pytest.approx(0.5)


def test_what_is_no_number_is_a_sure_no():
    scores = np.array([[np.nan, 0.9]], np.float32)
    tally = count_labels(scores, np.array([[True, True]]))
    assert tally.right.tolist() == [0, 1]
    assert np.isfinite(tally.loss)


def test_the_error_of_the_probabilities_is_over_all_pairs():
    calibration = pytest.importorskip("sklearn.calibration")
    scores, labels = _random()
    tally = count_labels(scores, labels)
    assert tally.reliability.answers.sum() == labels.size
    shares, _ = calibration.calibration_curve(labels.ravel(), scores.ravel(), n_bins=15)
    bins = tally.reliability
    filled = bins.answers > 0
    np.testing.assert_allclose(bins.right[filled] / bins.answers[filled], shares)
