"""Draws against the published generator and against what uniform numbers must be."""

import numpy as np
import pytest
from scipy.stats import gamma

from residua.data.draws import Purpose, bits, draw_gamma, scramble, stream

_MASK = 2**64 - 1


def _reference_outputs(state: int, count: int) -> list[int]:
    """SplitMix64 in whole numbers, after Vigna's splitmix64.c."""
    outputs = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        outputs.append(z ^ (z >> 31))
    return outputs


def test_scramble_gives_the_published_numbers():
    # The outputs for seed 1234567 that implementations of SplitMix64 are commonly checked with.
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        states = np.uint64(1234567) + np.arange(5, dtype=np.uint64) * golden
    assert scramble(states).tolist() == published == _reference_outputs(1234567, 5)


def test_bits_are_a_splitmix_stream_of_a_key_of_all_four():
    key = 0
    for part in (Purpose.FLIP, 7, 3, 41):
        key = _reference_outputs((key + part) & _MASK, 1)[0]
    drawn = bits(Purpose.FLIP, seed=7, epoch=3, indices=np.array([5, 41]), count=4)
    assert drawn[1].tolist() == _reference_outputs(key, 4)


def test_a_stream_is_the_same_numbers_one_by_one():
    drawn = bits(Purpose.CROP, seed=2**32 - 1, epoch=9, indices=np.array([123_456]), count=30)[0]
    numbers = stream(Purpose.CROP, seed=2**32 - 1, epoch=9, index=123_456)
    assert [int(next(numbers) * 2**53) for _ in range(30)] == (drawn >> np.uint64(11)).tolist()


def test_draws_depend_on_each_of_purpose_seed_epoch_and_index():
    def draw(purpose=Purpose.CROP, seed=1, epoch=2, index=3):
        return next(stream(purpose, seed=seed, epoch=epoch, index=index))

    values = {draw(), draw(purpose=Purpose.FLIP), draw(seed=2), draw(epoch=3), draw(index=4)}
    assert len(values) == 5
    assert draw() == draw()


def test_draws_do_not_depend_on_company():
    together = bits(Purpose.CROP, seed=0, epoch=0, indices=np.arange(50), count=22)
    alone = bits(Purpose.CROP, seed=0, epoch=0, indices=np.array([17]), count=22)
    np.testing.assert_array_equal(together[17], alone[0])


@pytest.mark.parametrize("purpose", list(Purpose))
def test_draws_are_uniform_and_uncorrelated(purpose):
    words = bits(purpose, seed=0, epoch=0, indices=np.arange(20_000), count=2)
    drawn = (words >> np.uint64(11)) * 2.0**-53
    assert drawn.min() >= 0
    assert drawn.max() < 1
    # Kolmogorov's distance stays below 1.95 / sqrt(n) in 999 of 1000 cases.
    expected = np.arange(1, 20_001) / 20_000
    for column in drawn.T:
        assert np.abs(np.sort(column) - expected).max() < 1.95 / np.sqrt(20_000)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.03
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.03


@pytest.mark.parametrize("shape", [0.1, 1.0, 3.5])
def test_gamma_is_that_of_scipy(shape):
    drawn = [
        draw_gamma(shape, stream(Purpose.POLICY, seed=0, epoch=0, index=index))
        for index in range(5000)
    ]
    # Kolmogorov's distance stays below 1.95 / sqrt(n) in 999 of 1000 cases.
    expected = gamma.cdf(np.sort(drawn), shape)
    assert np.abs(expected - (np.arange(5000) + 0.5) / 5000).max() < 1.95 / np.sqrt(5000)
