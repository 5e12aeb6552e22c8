"""Colour jitter draws what torchvision's ColorJitter draws."""

from collections import Counter

import numpy as np
import pytest

from residua.data.augment import jitter as module
from residua.data.augment.jitter import jitter
from residua.data.draws import Purpose, stream
from residua.data.settings import JitterPart

_PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def _numbers(ticket):
    return stream(Purpose.JITTER, seed=0, epoch=0, index=ticket)


@pytest.fixture
def record(monkeypatch):
    """Return the (kind, value) of every change, in order."""
    calls = []

    def note(kind):
        return lambda picture, value: calls.append((kind, value)) or picture

    monkeypatch.setattr(module, "_CHANGES", tuple(note(kind) for kind in range(4)))
    return calls


def test_values_are_uniform_in_their_ranges(record):
    part = JitterPart(brightness=0.4, contrast=0.2, saturation=1.5, hue=0.1)
    for ticket in range(3000):
        jitter(_PICTURE, part, _numbers(ticket))
    ranges = {0: (0.6, 1.4), 1: (0.8, 1.2), 2: (0.0, 2.5), 3: (-0.1, 0.1)}
    for kind, (low, high) in ranges.items():
        values = np.sort([value for which, value in record if which == kind])
        expected = low + (high - low) * (np.arange(3000) + 0.5) / 3000
        assert np.abs(values - expected).max() / (high - low) < 1.95 / np.sqrt(3000)


def test_all_orders_are_equally_likely(record):
    part = JitterPart(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    orders = Counter()
    for ticket in range(4800):
        record.clear()
        jitter(_PICTURE, part, _numbers(ticket))
        orders[tuple(kind for kind, _ in record)] += 1
    assert len(orders) == 24
    # Chi-square of 23 degrees of freedom: 49.7 in one of 1000 cases.
    assert sum((count - 200) ** 2 / 200 for count in orders.values()) < 49.7


def test_probability_and_what_is_off(record):
    part = JitterPart(contrast=0.4, probability=0.3)
    for ticket in range(3000):
        jitter(_PICTURE, part, _numbers(ticket))
    assert len(record) / 3000 == pytest.approx(0.3, abs=0.03)
    assert {kind for kind, _ in record} == {1}
    assert jitter(_PICTURE, JitterPart(), _numbers(0)) is _PICTURE


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_all_kinds_change_and_alpha_does_not(channels):
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, channels), dtype=np.uint8)
    part = JitterPart(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    changed = jitter(picture, part, _numbers(5))
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert (changed != picture).any()
    if channels == 4:
        np.testing.assert_array_equal(changed[:, :, 3], picture[:, :, 3])
