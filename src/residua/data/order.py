"""The order in which an epoch sees the samples: a pure function of (seed, epoch)."""

import numpy as np
from numpy.typing import NDArray

from residua.data.draws import Purpose, bits


def epoch_order(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the numbers 0…count-1 in the order of ``epoch``: int64 [count].

    Samples are sorted by 64 random bits each, so no library's shuffle is part of the definition.
    """
    indices = np.arange(count, dtype=np.int64)
    keys = bits(Purpose.ORDER, seed=seed, epoch=epoch, indices=indices, count=1)[:, 0]
    return np.argsort(keys, kind="stable").astype(np.int64)
