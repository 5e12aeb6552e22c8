"""What is counted over all pictures, in the form that the page shows it."""

import math

import numpy as np
from numpy.typing import NDArray

from residua.bundle.schema import Classes, Metrics
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import LabelTally
from residua.report.facts import ClassRow, Confusion, Figure
from residua.report.words import spell_count, spell_share

_WHOLE = 24  # classes up to which the whole confusion matrix is shown
_BLOCK = 18  # classes of the block that is shown of a larger one
_Z = 1.959963984540054  # the normal distribution's 97.5 % point


def list_figures(metrics: Metrics, counts: Tally | LabelTally) -> tuple[Figure, ...]:
    """Return the big figures of the head; a top-5 only where there are more than five classes."""
    images = metrics.images or 0
    if isinstance(counts, Tally):
        low, high = bound_share(int(counts.right.sum()), counts.total)
        interval = f"95 % interval {100 * low:.1f}\u2013{100 * high:.1f}"
        figures = [Figure("Top-1", spell_share(counts.top1), interval)]
        if counts.num_classes > 5:
            figures.append(Figure("Top-5", spell_share(counts.top5), "right among five answers"))
        present, kind = int((counts.images > 0).sum()), "nats a picture"
    else:
        mean = "none" if counts.map is None else spell_share(counts.map)
        figures = [
            Figure("mAP", mean, "mean over the classes"),
            Figure("All right", spell_share(counts.exact / images), "every class of a picture"),
        ]
        present, kind = int((counts.applying > 0).sum()), "nats a class"
    return (
        *figures,
        Figure("Loss", f"{counts.loss:.3f}", kind),
        Figure("Calibration error", spell_share(counts.reliability.error), "ECE, 15 bins"),
        Figure("Pictures", spell_count(images), f"of {spell_count(present)} classes"),
    )


def bound_share(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson (1927), which stays within 0…1."""
    share, square = right / total, _Z * _Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z / (1 + square / total)
    half *= math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def list_classes(counts: Tally | LabelTally, classes: Classes) -> tuple[ClassRow, ...]:
    """Return the figures of each class with pictures, the lowest F1 (average precision) first."""
    figures = counts.figures
    averages = counts.precisions if isinstance(counts, LabelTally) else None
    rows = [
        ClassRow(
            name,
            int(figures.support[label]),
            float(figures.precision[label]),
            float(figures.recall[label]),
            float(figures.f1[label]),
            None if averages is None else float(averages[label]),
        )
        for label, name in enumerate(spell_classes(classes))
        if figures.support[label]
    ]
    rows.sort(key=lambda row: (row.f1 if averages is None else row.average_precision, row.name))
    return tuple(rows)


def spell_classes(classes: Classes) -> tuple[str, ...]:
    """Return the names, with the id where two classes share a name (ImageNet has two cranes)."""
    if not classes.ids or len(set(classes.names)) == len(classes):
        return classes.names
    return tuple(
        f"{name} ({key})" if classes.names.count(name) > 1 else name
        for name, key in zip(classes.names, classes.ids, strict=True)
    )


def cut_confusion(matrix: NDArray[np.int64], names: tuple[str, ...]) -> Confusion:
    """Return the whole matrix, or of many classes the block that is confused most.

    The block takes the classes of the pairs that are confused most often, either way round; its
    last column counts the answers outside it. A class without answered pictures has no row in it.
    """
    total = len(names)
    if total <= _WHOLE:
        return Confusion(matrix, names, names, tuple(range(total)), total)
    chosen = _choose_confused(matrix)
    rows = [label for label in chosen if matrix[label].any()]
    block = matrix[np.ix_(rows, chosen)]
    others = matrix[rows].sum(axis=1) - block.sum(axis=1)
    return Confusion(
        np.column_stack([block, others]),
        tuple(names[label] for label in rows),
        (*(names[label] for label in chosen), "others"),
        tuple(chosen.index(label) for label in rows),
        total,
    )


def _choose_confused(matrix: NDArray[np.int64]) -> list[int]:
    """Return the classes of the pairs that are confused most, as many as the block holds."""
    both = np.triu(matrix + matrix.T, 1).ravel()
    filled = np.flatnonzero(both)
    chosen: list[int] = []
    for place in filled[np.argsort(-both[filled], kind="stable")]:
        new = [label for label in divmod(int(place), len(matrix)) if label not in chosen]
        if len(chosen) + len(new) > _BLOCK:
            break
        chosen += new
    return sorted(chosen)
