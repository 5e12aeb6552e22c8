"""Pictures that are there twice: the same pixels, or so like that a network sees no difference.

Near duplicates are found by multi-index hashing (Norouzi, Punjani and Fleet 2012, arXiv 1307.2982):
a hash of 64 bits is cut into four blocks of 16. Of two hashes that differ in at most d bits, some
block differs in at most d // 4. So only pictures of which a block lies that near are compared:

    hash  a1f0 33c7 90e2 5b18        tables, one a block:  a1f0 → [4, 77]   33c7 → [4]   …
    looked up under each block, and under each block with up to d // 4 bits turned over

Memory is that of the hashes, and of a bounded number of candidates at a time. Which pairs are
found does not depend on any of this: tests compare with all pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from residua.data.doctor.likeness import CORRELATION, DISTANCE, correlate

_BLOCKS, _WIDTH = 4, 16
_CANDIDATES = 1 << 21  # pairs compared at a time
_THUMBS = 1 << 14  # pairs of thumbnails compared at a time
_NONE = np.uint64(2**64 - 1)

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of each picture the one most like it: ``partner`` int64 [N] (-1: none), ``distance`` in bits.

    Only the nearest is kept, so that memory does not grow with the number of pairs.
    """

    partner: Integers
    distance: Integers

    def pairs(self) -> tuple[Integers, Integers]:
        """Return the pairs (int64 [K, 2]), each once and the nearest first, and their distances."""
        firsts = np.flatnonzero(self.partner >= 0)
        both = np.sort(np.stack([firsts, self.partner[firsts]], axis=1), axis=1)
        rows = np.column_stack([self.distance[firsts], both]).astype(np.int64)
        rows = np.unique(rows, axis=0).reshape(-1, 3)
        return rows[:, 1:], rows[:, 0]


class Collector:
    """Keeps of each of ``count`` pictures the nearest partner that it is shown."""

    def __init__(self, count: int) -> None:
        """``count`` pictures, all without a partner so far."""
        self._best = np.full(count, _NONE, dtype=np.uint64)

    def add(self, first: Integers, second: Integers, distance: Integers) -> None:
        """Note pairs and their distances; of equal ones the partner that comes first is kept."""
        for own, other in ((first, second), (second, first)):
            rank = (distance.astype(np.uint64) << np.uint64(48)) | other.astype(np.uint64)
            np.minimum.at(self._best, own, rank)

    def result(self) -> Likeness:
        """Return what has been kept."""
        none = self._best == _NONE
        partner = (self._best & np.uint64(2**48 - 1)).astype(np.int64)
        distance = (self._best >> np.uint64(48)).astype(np.int64)
        return Likeness(np.where(none, -1, partner), np.where(none, 65, distance))


def group_equal(digests: Hashes, readable: NDArray[np.bool_]) -> Integers:
    """Return of each picture the first one with the same digest: int64 [N].

    ``digests`` is uint64 [N, 2]. A picture alone, or one that is not ``readable``, has its own
    position.
    """
    first = np.arange(len(digests), dtype=np.int64)
    known = np.flatnonzero(readable)
    if len(known):
        _, starts, members = np.unique(
            digests[known], axis=0, return_index=True, return_inverse=True
        )
        first[known] = known[starts[members.ravel()]]
    return first


def find_near(
    hashes: Hashes, thumbs: NDArray[np.uint8], *, distance: int = DISTANCE
) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yield the pairs of pictures that look alike, as (first, second, distance), each once.

    ``hashes`` is uint64 [N], ``thumbs`` uint8 [N, 256]; the hashes of a pair differ in at most
    ``distance`` bits (below 16) and the thumbnails correlate by at least ``CORRELATION``.
    """
    for first, second, bits in find_close_hashes(hashes, distance):
        for at in range(0, len(first), _THUMBS):
            piece = slice(at, at + _THUMBS)
            alike = correlate(thumbs[first[piece]], thumbs[second[piece]]) >= CORRELATION
            if alike.any():
                yield first[piece][alike], second[piece][alike], bits[piece][alike]


def find_close_hashes(
    hashes: Hashes, distance: int
) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yield all pairs of hashes that differ in at most ``distance`` bits (below 16), each once."""
    radius = distance // _BLOCKS
    for number in range(_BLOCKS):
        block = _take_block(hashes, number)
        for first, second in _pair_blocks(block, radius):
            differing = hashes[first] ^ hashes[second]
            bits = np.bitwise_count(differing).astype(np.int64)
            kept = bits <= distance
            # An earlier block that lies near as well has given this pair already.
            for earlier in range(number):
                kept &= np.bitwise_count(_take_block(differing, earlier)) > radius
            if kept.any():
                yield first[kept], second[kept], bits[kept]


def _take_block(hashes: Hashes, number: int) -> NDArray[np.uint16]:
    return (hashes >> np.uint64(_WIDTH * number)).astype(np.uint16)


def _pair_blocks(block: NDArray[np.uint16], radius: int) -> Iterator[tuple[Integers, Integers]]:
    """Yield the pairs (each once) whose blocks differ in at most ``radius`` bits, in pieces."""
    order = np.argsort(block, kind="stable").astype(np.int64)
    sorted_block = block[order]
    ends = np.cumsum(np.bincount(block, minlength=1 << _WIDTH))
    starts = np.concatenate([[0], ends[:-1]])
    places = np.arange(len(block), dtype=np.int64)
    for size in range(radius + 1):
        for turned in combinations(range(_WIDTH), size):
            mask = np.uint16(sum(1 << bit for bit in turned))
            other = sorted_block ^ mask
            # Partners stand behind in the sorted order, so that no pair comes twice.
            begin = np.maximum(starts[other], places + 1)
            count = np.maximum(ends[other] - begin, 0)
            yield from _expand(order, begin, count)


def _expand(
    order: Integers, begin: Integers, count: Integers
) -> Iterator[tuple[Integers, Integers]]:
    """Pair ``order[i]`` with the ``count[i]`` from ``order[begin[i]]`` on, so many at once."""
    total = np.cumsum(count)
    at = 0
    while at < len(order):
        done = total[at - 1] if at else 0
        # At least one row at a time: a row has at most as many candidates as there are pictures.
        stop = max(at + 1, int(np.searchsorted(total, done + _CANDIDATES, side="right")))
        sizes = count[at:stop]
        if sizes.any():
            within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            second = order[np.repeat(begin[at:stop], sizes) + within]
            yield np.repeat(order[at:stop], sizes), second
        at = stop
