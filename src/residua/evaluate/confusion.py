"""Which classes are taken for which: figures of each class, and the pairs most confused.

A confusion matrix is int64 [classes, classes]: pictures of class ``row`` that were answered with
class ``column``.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of each class, float64 [classes], and their averages.

    ``support`` is the number of pictures (multi-label: of times the class applies). A class that
    was never answered has precision 0. Averages are over the classes with pictures: plain
    ("macro") or by the number of pictures ("weighted"); scikit-learn gives the same with
    ``labels=`` these classes and ``zero_division=0``.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    def mean(self, name: str, *, weighted: bool = False) -> float:
        """Return the average of "precision", "recall" or "f1"."""
        values: NDArray[np.float64] = getattr(self, name)
        present = self.support > 0
        weights = self.support[present] if weighted else None
        return float(np.average(values[present], weights=weights))


def class_figures(
    right: NDArray[np.int64], answered: NDArray[np.int64], support: NDArray[np.int64]
) -> ClassFigures:
    """Return the figures of classes, from counts int64 [classes].

    ``right`` are pictures of the class answered with it, ``answered`` all that were answered with
    it, ``support`` all that are of it.
    """

    def share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = part / np.maximum(whole, 1)
        return shares

    return ClassFigures(
        share(right, answered), share(right, support), share(2 * right, answered + support), support
    )


@dataclass(frozen=True, slots=True)
class Confused:
    """``count`` of the ``images`` of class ``label`` were answered with class ``answer``."""

    label: int
    answer: int
    count: int
    images: int


def most_confused(
    matrix: NDArray[np.int64], images: NDArray[np.int64], count: int = 10
) -> tuple[Confused, ...]:
    """Return the ``count`` mistakes that were made most often; of equal ones the lower classes."""
    mistakes = np.where(np.eye(len(matrix), dtype=bool), 0, matrix).ravel()
    filled = np.flatnonzero(mistakes)
    best = filled[np.argsort(-mistakes[filled], kind="stable")[:count]]
    pairs = [divmod(int(place), len(matrix)) for place in best]
    return tuple(
        Confused(label, answer, int(matrix[label, answer]), int(images[label]))
        for label, answer in pairs
    )


def spell_matrix(matrix: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return the matrix as CSV: a row a class, a column an answer."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["class", *names])
    writer.writerows([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))
    return buffer.getvalue()
