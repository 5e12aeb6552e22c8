"""Temperatures against SciPy and torch, and from the network to predict."""

import numpy as np
import pytest
import torch

from residua.base.errors import DataError
from residua.evaluate.calibrate import fit_temperature, soften
from residua.evaluate.metrics import nll

optimize = pytest.importorskip("scipy.optimize")


def _softmax(logits):
    return torch.from_numpy(logits).softmax(1).float().numpy()


def _sampled(temperature, rows=3000, classes=6, seed=0):
    """Logits and labels that are drawn with the probabilities at ``temperature``."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 4, (rows, classes))
    chances = torch.from_numpy(logits / temperature).softmax(1).numpy()
    labels = (generator.random((rows, 1)) > chances.cumsum(1)).sum(1).clip(0, classes - 1)
    return logits, labels.astype(np.int64)


@pytest.mark.parametrize("truth", [0.4, 1.0, 2.5])
def test_the_temperature_is_the_best_that_scipy_finds(truth):
    logits, labels = _sampled(truth)

    def loss(log_temperature):
        scaled = torch.from_numpy(logits) / np.exp(log_temperature)
        return float(torch.nn.functional.cross_entropy(scaled, torch.from_numpy(labels)))

    best = optimize.minimize_scalar(loss, bounds=(-3, 3), options={"xatol": 1e-9})
    found = fit_temperature(_softmax(logits), labels)
    assert found == pytest.approx(np.exp(best.x), rel=1e-4)
    assert found == pytest.approx(truth, rel=0.1)


def test_the_multi_label_temperature_is_the_best_that_scipy_finds():
    generator = np.random.default_rng(0)
    logits = generator.normal(-1, 3, (800, 5))
    labels = generator.random((800, 5)) < 1 / (1 + np.exp(-logits / 1.8))

    def loss(log_temperature):
        scaled = torch.from_numpy(logits) / np.exp(log_temperature)
        return float(
            torch.nn.functional.binary_cross_entropy_with_logits(
                scaled, torch.from_numpy(labels).double()
            )
        )

    best = optimize.minimize_scalar(loss, bounds=(-3, 3), options={"xatol": 1e-9})
    found = fit_temperature(torch.from_numpy(logits).sigmoid().float().numpy(), labels)
    assert found == pytest.approx(np.exp(best.x), rel=1e-4)


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_far_temperatures_are_found(scale):
    """Far from 1, where Newton's method starts; the logits stay within what float32 holds."""
    logits, labels = _sampled(1.0)
    logits = (logits * scale).clip(-40, 40)
    found = fit_temperature(_softmax(logits), labels)
    best = min(
        np.geomspace(0.002, 200, 1001), key=lambda t: nll(_softmax(logits / t), labels).mean()
    )
    assert found == pytest.approx(best, rel=0.02)


def test_softened_probabilities_are_those_of_the_divided_logits():
    logits, labels = _sampled(1.0, rows=50)
    softened = soften(_softmax(logits), labels, 2.2)
    np.testing.assert_allclose(softened, _softmax(logits / 2.2), rtol=2e-5, atol=1e-7)
    several = labels[:, None] == np.arange(6)
    chances = torch.from_numpy(logits).sigmoid().float().numpy()
    expected = torch.from_numpy(logits / 2.2).sigmoid().float().numpy()
    np.testing.assert_allclose(soften(chances, several, 2.2), expected, atol=2e-4)
    order = _softmax(logits).argsort(1, kind="stable")
    np.testing.assert_array_equal(softened.argsort(1, kind="stable"), order)


def test_blocks_change_nothing(monkeypatch):
    logits, labels = _sampled(1.7, rows=200)
    whole = fit_temperature(_softmax(logits), labels)
    monkeypatch.setattr("residua.evaluate.calibrate._BLOCK", 60)
    assert fit_temperature(_softmax(logits), labels) == pytest.approx(whole, rel=1e-6)


def test_where_no_temperature_is_best_it_says_so():
    right = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    with pytest.raises(DataError, match="answered rightly"):
        fit_temperature(right, np.array([0, 1]))
    with pytest.raises(DataError, match="no better than chance"):
        fit_temperature(right, np.array([1, 0]))
    with pytest.raises(DataError, match="no better than chance"):
        fit_temperature(np.full((2, 2), 0.5, np.float32), np.array([1, 0]))
    with pytest.raises(DataError, match="no numbers"):
        fit_temperature(np.array([[np.nan, 1]], np.float32), np.array([1]))
    with pytest.raises(DataError, match="answered rightly"):
        fit_temperature(right, np.array([[True, False], [False, True]]))
