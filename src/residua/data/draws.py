"""Random numbers that depend on nothing but what they are for: counter-based, without a state.

A draw is a pure function of (purpose, seed, epoch, index), so a crop is the same whatever the
number of threads or processes, whatever was drawn before it, and after any restart. Each purpose
has its own numbers: a new augmentation changes no crop.

The generator is SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2714064.2660195; constants as
in Vigna's public-domain ``splitmix64.c``): a counter in steps of the golden ratio, scrambled.
"""

import math
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MASK = 2**64 - 1


class Purpose(IntEnum):
    """What numbers are drawn for. The values are part of every recorded run: never renumber."""

    ORDER = 0
    CROP = 1
    FLIP = 2
    MIX = 3
    POLICY = 4
    JITTER = 5
    LIGHTING = 6
    INTERPOLATION = 7
    ERASE = 8
    MIX_BOX = 9
    DROP_PATH = 10
    SAMPLE = 11
    HIDDEN_CHANNELS = 12


def scramble(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the output of SplitMix64 for each ``state`` (before its increment)."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the definition
        z = state + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        return z ^ (z >> np.uint64(31))


def bits(
    purpose: Purpose, *, seed: int, epoch: int, indices: NDArray[np.int64], count: int
) -> NDArray[np.uint64]:
    """Return ``count`` words of 64 random bits for each of ``indices``: uint64 [N, count]."""
    with np.errstate(over="ignore"):
        key = scramble(np.array([purpose], dtype=np.uint64))
        key = scramble(key + np.uint64(seed))
        key = scramble(key + np.uint64(epoch))
        keys = scramble(key + np.asarray(indices).astype(np.uint64))  # [N]
        steps = np.arange(count, dtype=np.uint64) * _GOLDEN
        return scramble(keys[:, None] + steps[None, :])


def fractions(
    purpose: Purpose, *, seed: int, epoch: int, indices: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Return ``count`` numbers in 0…1 for each of ``indices``, of 24 bits: float32 [N, count]."""
    words = bits(purpose, seed=seed, epoch=epoch, indices=indices, count=count)
    return (words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)


def stream(purpose: Purpose, *, seed: int, epoch: int, index: int) -> Iterator[float]:
    """Yield numbers in [0, 1) for one ``index``: those of ``bits``, for whoever needs but a few.

    For a handful of numbers plain integers are several times as fast as arrays.
    """
    state = _scramble_one(_epoch_key(purpose, seed, epoch) + index)
    while True:
        yield (_scramble_one(state) >> 11) * 2.0**-53
        state += 0x9E3779B97F4A7C15


def draw_normal(numbers: Iterator[float]) -> float:
    """Return a number of the standard normal distribution, out of two of ``numbers`` in [0, 1)."""
    radius = math.sqrt(-2 * math.log(1 - next(numbers)))  # Box and Muller
    return radius * math.cos(2 * math.pi * next(numbers))


def draw_gamma(shape: float, numbers: Iterator[float]) -> float:
    """Return a number of Gamma(``shape``, 1), out of as many of ``numbers`` in [0, 1) as it takes.

    Marsaglia and Tsang, "A simple method for generating gamma variables" (2000), sections 2 and 8.
    """
    if shape < 1:
        return draw_gamma(shape + 1, numbers) * math.pow(1 - next(numbers), 1 / shape)
    d = shape - 1 / 3
    while True:
        x = draw_normal(numbers)
        v = (1 + x / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(1 - next(numbers)) < x * x / 2 + d - d * v + d * math.log(v):
            return d * v


@lru_cache(maxsize=16)
def _epoch_key(purpose: Purpose, seed: int, epoch: int) -> int:
    return _scramble_one(_scramble_one(_scramble_one(int(purpose)) + seed) + epoch)


def _scramble_one(state: int) -> int:
    """As ``scramble``, of one whole number."""
    z = (state + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
