"""The order in which an epoch sees the samples: a pure function of (seed, epoch).

An entry is a *ticket*: sample ``ticket // repeats`` in its copy ``ticket % repeats``. Without
repeated augmentation that is the sample itself. Everything drawn for a picture is keyed by its
ticket, so that copies differ.
"""

import numpy as np
from numpy.typing import NDArray

from residua.data.draws import Purpose, bits


def epoch_order(count: int, *, seed: int, epoch: int, repeats: int = 1) -> NDArray[np.int64]:
    """Return the tickets of ``count`` samples in the order of ``epoch``: int64 [count].

    Samples are sorted by 64 random bits each, so no library's shuffle is part of the definition.
    With ``repeats`` r (arXiv 1901.09335) an epoch keeps its length and sees only the first
    count / r samples of that order, each r times. They come two and two, as in

        d0 d1 d0 d1 d0 d1 | d2 d3 d2 d3 d2 d3 | …       for r = 3,

    so that rows 2k and 2k + 1, which mixing takes for partners, never hold the same picture, and
    the copies of one meet in one batch (or in two that follow each other).
    """
    indices = np.arange(count, dtype=np.int64)
    keys = bits(Purpose.ORDER, seed=seed, epoch=epoch, indices=indices, count=1)[:, 0]
    order = np.argsort(keys, kind="stable").astype(np.int64)
    if repeats == 1 or count < 2:
        return order * repeats
    pairs = -(-count // (2 * repeats))
    firsts = order[: 2 * pairs].reshape(pairs, 1, 2) * repeats
    copies = np.arange(repeats, dtype=np.int64).reshape(1, repeats, 1)
    return (firsts + copies).reshape(-1)[:count]
