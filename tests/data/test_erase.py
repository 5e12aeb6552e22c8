"""Erasing: which pictures, what fills them, and that pieces equal the whole."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from residua.data.augment.erase import erase, make_noise
from residua.data.draws import scramble
from residua.data.settings import ErasePart

_KINDS = [
    ErasePart(kind="erasing", probability=0.5),
    ErasePart(kind="erasing", probability=0.5, fill="noise"),
    ErasePart(kind="cutout", probability=0.5),
    ErasePart(kind="gridmask", probability=0.5),
    ErasePart(kind="hideandseek", probability=0.5),
]


def _pictures(rows, size=32):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(rows, size, size, 3, generator=generator) + 20
    return values.permute(0, 3, 1, 2)  # channels last, and nowhere zero


def _run(pictures, part, *, tickets=None, epoch=0, seed=0):
    tickets = np.arange(len(pictures)) if tickets is None else tickets
    return erase(pictures, part, seed=seed, epoch=epoch, tickets=tickets)


@pytest.mark.parametrize("part", _KINDS)
def test_pieces_and_any_order_give_what_the_batch_gives(part):
    pictures = _pictures(12)
    whole = _run(pictures, part)
    assert (whole != pictures).any()
    order = np.array([7, 0, 3, 11, 5])
    torch.testing.assert_close(
        _run(pictures[order], part, tickets=order), whole[order], rtol=0, atol=0
    )
    for row in range(12):
        alone = _run(pictures[row : row + 1], part, tickets=np.array([row]))
        torch.testing.assert_close(alone[0], whole[row], rtol=0, atol=0)


@pytest.mark.parametrize("part", _KINDS)
def test_what_is_drawn_depends_on_seed_epoch_and_ticket(part):
    pictures = _pictures(40)
    first = _run(pictures, part)
    assert torch.equal(first, _run(pictures, part))
    for other in (
        _run(pictures, part, seed=1),
        _run(pictures, part, epoch=1),
        _run(pictures, part, tickets=np.arange(40) + 40),
    ):
        assert (first != other).any()


@pytest.mark.parametrize("part", _KINDS)
def test_hidden_pixels_get_the_fill_in_all_channels_and_the_others_stay(part):
    pictures = _pictures(30)
    before = pictures.clone()
    erased = _run(pictures, part)
    assert torch.equal(pictures, before)
    assert erased.is_contiguous(memory_format=torch.channels_last)
    changed = erased != pictures
    assert torch.equal(changed.all(dim=1), changed.any(dim=1))
    assert 5 < changed.any(dim=(1, 2, 3)).sum() < 25
    filled = erased[changed]
    if part.fill == "mean":
        assert not filled.any()
    else:
        assert abs(filled.mean()) < 0.1
        assert abs(filled.std() - 1) < 0.1


def test_pictures_are_chosen_with_the_probability():
    pictures = torch.ones(4000, 1, 4, 4)
    part = ErasePart(kind="cutout", size=112, probability=0.25)
    hit = (_run(pictures, part) == 0).any(dim=(1, 2, 3))
    assert hit.float().mean() == pytest.approx(0.25, abs=0.03)
    assert _run(pictures, ErasePart(kind="cutout", probability=0.0)) is pictures
    assert _run(pictures, ErasePart()) is pictures


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.0), (60, 0.2), (240, 0.8), (299, 0.8)])
def test_gridmask_rises(epoch, expected):
    """As its authors' ``set_prob``: 0.8 times epoch / 240, and no more."""
    pictures = torch.ones(3000, 1, 8, 8)
    part = ErasePart(kind="gridmask", probability=0.8, ramp_epochs=240, keep=0.0)
    hit = (_run(pictures, part, epoch=epoch) == 0).any(dim=(1, 2, 3))
    assert hit.float().mean() == pytest.approx(expected, abs=0.03)


def test_noise_is_normal_and_the_generators_own():
    keys = np.array([3, 2**64 - 5], dtype=np.uint64)
    noise = make_noise(keys, (3, 40, 50), torch.device("cpu"))
    assert noise.shape == (2, 3, 40, 50)
    with np.errstate(over="ignore"):
        steps = np.arange(6000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        words = scramble(keys[:, None] + steps)
    uniform = ((words >> np.uint64(41)).astype(float) + 0.5) * 2.0**-23
    for row in range(2):
        for place in (0, 1, 777, 5999):
            expected = NormalDist().inv_cdf(uniform[row, place])
            assert noise[row].flatten()[place].item() == pytest.approx(expected, abs=1e-4)
    values = np.sort(noise.flatten().numpy())
    expected = np.array([NormalDist().inv_cdf((n + 0.5) / 12_000) for n in range(12_000)])
    assert np.abs(values - expected)[100:-100].max() < 0.15
    assert np.isfinite(values).all()
    assert abs(np.corrcoef(noise[0].flatten(), noise[1].flatten())[0, 1]) < 0.05


def test_half_precision_and_an_empty_batch_are_taken():
    pictures = _pictures(8).to(torch.bfloat16)
    for part in _KINDS:
        assert _run(pictures, part).dtype == torch.bfloat16
    assert _run(pictures[:0], _KINDS[0], tickets=np.arange(0)).shape == (0, 3, 32, 32)
