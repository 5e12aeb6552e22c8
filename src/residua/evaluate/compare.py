"""Two classifiers on the same pictures: which is better, or whether it is chance.

Only pictures that one gets right and the other wrong tell anything. McNemar's exact test (McNemar
1947; the binomial form) asks how probable so uneven a division of them, or a more uneven one, is
where both are equally good. The interval of the difference is a percentile bootstrap over pictures
(Efron 1979): pictures are drawn with replacement, each with the answers of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes
from residua.data.draws import Purpose, bits
from residua.data.source import Source
from residua.evaluate.metrics import Tally
from residua.evaluate.run import Evaluation

RESAMPLES = 10_000
LEVEL = 0.05  # of significance; the interval covers the rest
_WORDS = 1 << 21  # random numbers held at once

Verdict = Literal["A is better", "B is better", "not distinguishable"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What A and B get right of the same ``images``.

    ``only_a`` are right with A and wrong with B. ``difference`` is B's share minus A's, within
    ``interval`` with 95 %; ``p_value`` is that of McNemar's exact test, two-sided.
    """

    images: int
    right_a: int
    right_b: int
    only_a: int
    only_b: int
    p_value: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """B's share of right answers minus A's."""
        return (self.right_b - self.right_a) / self.images

    @property
    def verdict(self) -> Verdict:
        """Which is better, where test and interval both say so."""
        low, high = self.interval
        if self.p_value >= LEVEL or low <= 0 <= high:
            return "not distinguishable"
        return "B is better" if self.only_b > self.only_a else "A is better"


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """The accuracy (multi-label: average precision) of A and B on the ``images`` of one class."""

    label: int
    images: int
    a: float
    b: float


def compare(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], *, seed: int = 0) -> Comparison:
    """Compare which of the same pictures A and B get right: bool [N] each, in one order."""
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    return Comparison(
        images=len(right_a),
        right_a=int(right_a.sum()),
        right_b=int(right_b.sum()),
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar(only_a, only_b),
        interval=bootstrap_interval(only_a, only_b, len(right_a), seed=seed),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided p of McNemar's exact test.

    Twice the probability that of ``only_a + only_b`` fair coins as few or fewer fall on the rarer
    side, at most 1. Computed in whole numbers, so exact to the last digit.
    """
    tosses = only_a + only_b
    ways = total = 1
    for heads in range(1, min(only_a, only_b) + 1):
        ways = ways * (tosses - heads + 1) // heads
        total += ways
    return min(1.0, 2 * (total / (1 << tosses)))


def bootstrap_interval(
    only_a: int, only_b: int, images: int, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the 95 % percentile interval of B's share minus A's over ``resamples``.

    Pictures that both get right, or wrong, add nothing to the difference, so that the counts say
    all. The draws are a pure function of ``seed``.
    """
    differences = np.empty(resamples)
    rows = max(1, _WORDS // images)
    for start in range(0, resamples, rows):
        numbers = np.arange(start, min(start + rows, resamples), dtype=np.int64)
        words = bits(Purpose.SAMPLE, seed=seed, epoch=0, indices=numbers, count=images)
        # A number in 0…images - 1 of the upper 32 bits; its bias is below images / 2^32.
        drawn = ((words >> np.uint64(32)) * np.uint64(images)) >> np.uint64(32)
        lost = (drawn < only_a).sum(axis=1)
        won = (drawn < only_a + only_b).sum(axis=1) - lost
        differences[numbers] = (won - lost) / images
    low, high = np.quantile(differences, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def pair(a: Evaluation, b: Evaluation, source: Source) -> Comparison:
    """Compare two evaluations of ``source`` that kept their scores, picture by picture.

    A multi-label picture is right where every class is. Raises DataError where there is no picture
    that both could read.
    """
    if a.scores is None or b.scores is None:
        raise TypeError("evaluations with keep_probabilities are needed")
    _, of_a, of_b = np.intersect1d(a.scores.indices, b.scores.indices, return_indices=True)
    if not len(of_a):
        raise DataError("There is no picture that both could read.", next_step="Check the files.")
    return compare(a.scores.right(source)[of_a], b.scores.right(source)[of_b])


def class_differences(a: Evaluation, b: Evaluation) -> tuple[ClassDifference, ...]:
    """Return the classes that have pictures, those that differ most first."""
    of_a, of_b = (_by_class(evaluation) for evaluation in (a, b))
    support = a.counts.figures.support
    rows = [
        ClassDifference(int(label), int(support[label]), float(of_a[label]), float(of_b[label]))
        for label in np.flatnonzero((support > 0) & (b.counts.figures.support > 0))
    ]
    return tuple(sorted(rows, key=lambda row: (-abs(row.b - row.a), row.label)))


def _by_class(evaluation: Evaluation) -> NDArray[np.float64]:
    counts = evaluation.counts
    return counts.figures.recall if isinstance(counts, Tally) else counts.precisions


def match_both(a: Classes, b: Classes) -> tuple[int, ...]:
    """Return the place in ``b`` of each class of ``a``; raises DataError where the sets differ."""
    found = match_classes(b, a)
    order = tuple(place for place in found if place is not None)
    if len(order) == len(a) == len(b):
        return order
    only_a = [a.names[label] for label, place in enumerate(found) if place is None]
    only_b = [name for place, name in enumerate(b.names) if place not in order]
    raise DataError(
        f"A and B have different classes. Only in A: {_some(only_a)}. Only in B: {_some(only_b)}.",
        next_step="Compare classifiers of the same classes; their order does not matter.",
    )


def take_common(a: Source, b: Source) -> Source:
    """Return the pictures of ``a`` that are in ``b`` too, by name: what neither was trained on.

    Raises DataError where there are none.
    """
    known = set(b.names)
    kept = [position for position, name in enumerate(a.names) if name in known]
    if not kept:
        raise DataError(
            "There is no picture that both A and B leave out of their training.",
            next_step="Give other data, or --part all to take every picture all the same.",
        )
    return a if len(kept) == len(a) else a.take(np.array(kept, dtype=np.int64), a.title)


def _some(names: Sequence[str]) -> str:
    shown = "; ".join(names[:5]) or "none"  # names themselves hold commas, as ImageNet's
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
