"""Which pictures of a data set are there twice, and whether that is harmless.

A pair may be a *leak* (in training and in validation), a *conflict* (of different classes), or
neither: a mere *repeat*. A leak may be a conflict as well. Positions count through all parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.data.doctor.duplicates import Collector, Integers, find_near, group_equal
from residua.data.doctor.look import Trait
from residua.data.doctor.survey import Survey


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of pictures: int64 [K, 2], each with the number of bits in which its hashes differ."""

    pictures: Integers
    distance: Integers

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pictures)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Pairs of equal pixels and pairs that look alike, by what they mean.

    Of equal ones there is a pair for each picture that is there again, with the first of its kind;
    of a leak the training picture comes first. Of near ones there are those with the nearest.
    """

    leaks: Pairs
    conflicts: Pairs
    repeats: Pairs
    near_leaks: Pairs
    near_conflicts: Pairs
    near_repeats: Pairs


def find_repeats(surveys: Sequence[Survey], *, distance: int) -> Repeats:
    """Compare all pictures of all parts; ``distance`` is that of ``duplicates.find_near``."""
    joined = _join(surveys)
    equal = group_equal(joined.digests, joined.readable)
    by_label = _first_of(equal, joined.labels)
    by_both = _first_of(equal, joined.labels, joined.parts)
    everywhere = np.arange(len(equal), dtype=np.int64)
    # In training a picture's group has its first there, since training comes first.
    leaked = (joined.parts == 1) & (joined.parts[equal] == 0)
    clashing = (by_label == everywhere) & (equal != everywhere)
    again = by_both != everywhere
    # Of pictures that are equal in every respect one is compared; blank ones show nothing.
    compared = joined.readable & ~joined.blank & ~again
    near = _find_near(joined, equal, np.flatnonzero(compared), distance)
    return Repeats(
        leaks=_pair(equal, leaked),
        conflicts=_pair(equal, clashing),
        repeats=_pair(by_both, again),
        near_leaks=near[0],
        near_conflicts=near[1],
        near_repeats=near[2],
    )


@dataclass(frozen=True, slots=True)
class _Joined:
    """The surveys of all parts, one after the other."""

    parts: Integers
    labels: Integers
    readable: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    digests: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]


def _join(surveys: Sequence[Survey]) -> _Joined:
    numbers: dict[str, int] = {}
    labels = [
        numbers.setdefault(survey.source.spell_label(position), len(numbers))
        for survey in surveys
        for position in range(len(survey.source))
    ]
    sizes = [len(survey.source) for survey in surveys]
    return _Joined(
        parts=np.repeat(np.arange(len(surveys)), sizes),
        labels=np.array(labels, dtype=np.int64),
        readable=np.concatenate([survey.readable for survey in surveys]),
        blank=np.concatenate([survey.having(Trait.BLANK) for survey in surveys]),
        digests=np.concatenate([survey.pixel_digests for survey in surveys]),
        hashes=np.concatenate([survey.hashes for survey in surveys]),
        thumbs=np.concatenate([survey.thumbs for survey in surveys]),
    )


def _first_of(*keys: Integers) -> Integers:
    """Return of each picture the first that agrees with it in all ``keys``: int64 [N]."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    _, starts, members = np.unique(
        np.stack(keys, axis=1), axis=0, return_index=True, return_inverse=True
    )
    return starts[members.ravel()].astype(np.int64)


def _pair(first: Integers, chosen: NDArray[np.bool_]) -> Pairs:
    found = np.flatnonzero(chosen)
    return Pairs(np.stack([first[found], found], axis=1), np.zeros(len(found), np.int64))


def _find_near(
    joined: _Joined, equal: Integers, compared: Integers, distance: int
) -> tuple[Pairs, Pairs, Pairs]:
    """Return leaks, conflicts and mere repeats among the pictures at ``compared``."""
    collectors = tuple(Collector(len(equal)) for _ in range(3))
    hashes, thumbs = joined.hashes[compared], joined.thumbs[compared]
    for one, other, bits in find_near(hashes, thumbs, distance=distance):
        low = compared[np.minimum(one, other)]
        high = compared[np.maximum(one, other)]
        differing = equal[low] != equal[high]
        leak = differing & (joined.parts[low] != joined.parts[high])
        conflict = differing & (joined.labels[low] != joined.labels[high])
        kinds = (leak, conflict, differing & ~leak & ~conflict)
        for collector, kind in zip(collectors, kinds, strict=True):
            collector.add(low[kind], high[kind], bits[kind])
    leaks, conflicts, repeats = (Pairs(*collector.result().pairs()) for collector in collectors)
    return leaks, conflicts, repeats
