"""Who computes which rows of a batch: pure arithmetic, the same on every process.

The rows of the effective batch of an update lie in the order of the epoch; rows 2k and 2k + 1 are
partners, which mixing needs together. Each process gets a run of whole pairs, and cuts it into as
many micro-batches as every other process does (collective operations would wait otherwise):

    rows      0 1 | 2 3 | 4 5 | 6 7 | 8 9 | 10 11 | 12 13 | 14 15      a batch of 16
    process   0 . . . . . . . . . . . | 1 . . . . . . . . . . . .      2 processes
    micro     0 . . . . . | 1 . . . . | 0 . . . . . | 1 . . . . .      micro-batches of 4 rows
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import SettingError
from residua.evaluate.ranks import SINGLE, Ranks


@dataclass(frozen=True, slots=True)
class Shares:
    """The rows of one process: of an effective batch of ``batch`` out of ``samples`` pictures.

    ``micro_batch`` bounds the rows that are computed at once; 0 does not.
    """

    samples: int
    batch: int
    micro_batch: int = 0
    ranks: Ranks = SINGLE

    def __post_init__(self) -> None:
        """Refuse a batch too small for the processes."""
        if self.batch < 2 * self.ranks.world:
            raise SettingError(
                f"A batch of {self.batch} for {self.ranks.world} processes: each needs a pair of "
                "pictures at least.",
                next_step=f"Use a batch of {2 * self.ranks.world} or more, or fewer processes.",
            )

    @property
    def steps(self) -> int:
        """The number of updates of an epoch; pictures that fill no batch wait for another epoch."""
        return self.samples // self.batch

    @property
    def rows(self) -> slice:
        """The rows of every batch that this process computes."""
        return self._rows_of(self.ranks.rank)

    @property
    def micro_batches(self) -> list[slice]:
        """The micro-batches, as slices of this process's rows."""
        rows = self.rows.stop - self.rows.start
        pairs, count = -(-rows // 2), self._count()
        edges = [min(2 * (pairs * number // count), rows) for number in range(count + 1)]
        return [slice(low, high) for low, high in pairwise(edges)]

    def pieces(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return the tickets of this process, an array for each update of an epoch."""
        rows = self.rows
        return [
            order[at + rows.start : at + rows.stop]
            for at in range(0, self.steps * self.batch, self.batch)
        ]

    def _rows_of(self, rank: int) -> slice:
        pairs, world = -(-self.batch // 2), self.ranks.world
        low, high = pairs * rank // world, pairs * (rank + 1) // world
        return slice(2 * low, min(2 * high, self.batch))

    def _count(self) -> int:
        """Return the micro-batches of an update: the same number on every process."""
        shares = [self._rows_of(rank) for rank in range(self.ranks.world)]
        pairs = [-(-(share.stop - share.start) // 2) for share in shares]
        largest = max(1, self.micro_batch // 2) if self.micro_batch else max(pairs)
        return int(min([-(-max(pairs) // largest), *pairs]))
