"""Mixup and cutmix against their formulas, and in pieces against the whole."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from residua.data.augment.mix import draw_mixture, mix, one_hot
from residua.data.settings import MixPart

_KEYS = {"seed": 0, "epoch": 1}
_BOTH = MixPart(mixup=0.8, cutmix=1.0, switch=0.3)


def _batch(rows, size=24):
    generator = torch.Generator().manual_seed(rows)
    pictures = torch.randn(rows, size, size, 3, generator=generator).permute(0, 3, 1, 2)
    return pictures, one_hot(torch.arange(rows) % 5, 5)


def test_mixup_is_the_formula_of_the_paper():
    pictures, targets = _batch(4)
    mixed, soft = mix(pictures, targets, MixPart(mixup=1.0), **_KEYS, step=3)
    share = draw_mixture(MixPart(mixup=1.0), 24, 24, **_KEYS, step=3).share
    for row, partner in enumerate([1, 0, 3, 2]):
        expected = share * pictures[row] + (1 - share) * pictures[partner]
        torch.testing.assert_close(mixed[row], expected)
        expected = share * targets[row] + (1 - share) * targets[partner]
        torch.testing.assert_close(soft[row], expected)
    torch.testing.assert_close(soft.sum(1), torch.ones(4))


@pytest.mark.parametrize("step", range(12))
def test_cutmix_exchanges_a_box_and_counts_its_pixels(step):
    pictures, targets = _batch(4)
    mixed, soft = mix(pictures, targets, MixPart(cutmix=1.0), **_KEYS, step=step)
    for row, partner in enumerate([1, 0, 3, 2]):
        own = (mixed[row] == pictures[row]).all(dim=0)
        other = (mixed[row] == pictures[partner]).all(dim=0)
        assert (own ^ other).all()
        down, across = torch.nonzero(other.any(1)), torch.nonzero(other.any(0))
        assert other.sum() == len(down) * len(across)  # a rectangle
        share = float(own.sum()) / 24**2
        expected = share * targets[row] + (1 - share) * targets[partner]
        torch.testing.assert_close(soft[row], expected)


def test_a_box_has_the_area_and_place_of_the_paper():
    """Algorithm A1: sides of sqrt(1 - share) times the picture's, cut off at the edges."""
    widths, lefts = [], []
    for step in range(3000):
        mixture = draw_mixture(MixPart(cutmix=1.0), 400, 200, **_KEYS, step=step)
        left, top, right, bottom = mixture.box
        assert 0 <= left <= right <= 400
        assert 0 <= top <= bottom <= 200
        assert mixture.share == pytest.approx(1 - (right - left) * (bottom - top) / 80_000)
        if left > 0 and right < 400 and top > 0 and bottom < 200:
            assert abs((right - left) - 2 * (bottom - top)) <= 2
        widths.append((right - left) / 400)
        lefts.append(left == 0)
    # Beta(1, 1) is uniform, so the side s = sqrt(u) has E[s] = 2/3, E[s^2] = 1/2. Of a side s
    # around a uniform centre s - s^2/4 is within, on average, and half of s of the centres are
    # nearer to the left edge than s/2.
    assert np.mean(widths) == pytest.approx(2 / 3 - 1 / 8, abs=0.02)
    assert np.mean(lefts) == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("rows", [7, 8, 1, 2])
@pytest.mark.parametrize("part", [MixPart(mixup=0.2), MixPart(cutmix=1.0), _BOTH])
def test_pieces_of_whole_pairs_give_what_the_batch_gives(rows, part):
    pictures, targets = _batch(rows, size=31)
    for step in range(10):
        mixed, soft = mix(pictures, targets, part, **_KEYS, step=step)
        edges = [0, 2, 2, 6, rows] if rows > 6 else [0, rows]
        pieces = [
            mix(pictures[low:high], targets[low:high], part, **_KEYS, step=step)
            for low, high in pairwise(edges)
        ]
        assert torch.equal(mixed, torch.cat([piece[0] for piece in pieces]))
        assert torch.equal(soft, torch.cat([piece[1] for piece in pieces]))
        if rows % 2:
            assert torch.equal(mixed[-1], pictures[-1])
            assert torch.equal(soft[-1], targets[-1])


def test_what_is_given_stays_as_it_was_and_channels_last():
    for part in (MixPart(mixup=1.0), MixPart(cutmix=1.0)):
        pictures, targets = _batch(6)
        before, labels = pictures.clone(), targets.clone()
        mixed, _ = mix(pictures, targets, part, **_KEYS, step=0)
        assert torch.equal(pictures, before)
        assert torch.equal(targets, labels)
        assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_shares_follow_beta():
    mixtures = [draw_mixture(MixPart(mixup=0.2), 9, 9, **_KEYS, step=s) for s in range(4000)]
    shares = np.array([mixture.share for mixture in mixtures])
    # Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2a + 1)).
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.var() - 1 / (4 * 1.4)) < 0.01


def test_probability_and_switch_are_kept():
    part = _BOTH.model_copy(update={"probability": 0.6})
    drawn = [draw_mixture(part, 64, 64, **_KEYS, step=step) for step in range(4000)]
    mixed = [mixture for mixture in drawn if mixture is not None]
    assert len(mixed) / 4000 == pytest.approx(0.6, abs=0.03)
    cut = sum(mixture.box is not None for mixture in mixed)
    assert cut / len(mixed) == pytest.approx(0.3, abs=0.03)
    off = [draw_mixture(MixPart(), 64, 64, **_KEYS, step=step) for step in range(20)]
    assert off == [None] * 20


def test_a_mixture_is_a_function_of_its_keys():
    def draw(seed=0, epoch=1, step=2):
        return draw_mixture(MixPart(cutmix=0.4), 224, 224, seed=seed, epoch=epoch, step=step)

    assert draw() == draw()
    assert len({draw(), draw(seed=1), draw(epoch=2), draw(step=3)}) == 4
