"""Figures where a picture may have any number of classes, each with a probability of its own.

They are not sums over pictures (average precision depends on the order of all), so they are
counted at the end, from the probabilities of all pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.evaluate.confusion import ClassFigures, class_figures
from residua.evaluate.metrics import SMALLEST
from residua.evaluate.reliability import Reliability

THRESHOLD = 0.5  # from which probability on a class is an answer


@dataclass(frozen=True, slots=True)
class LabelTally:
    """Counts over multi-label pictures. An answer is a class whose probability is 0.5 or more.

    ``applying`` counts the pictures each class applies to, ``answered`` those it was answered for,
    ``right`` those where both hold; ``exact`` the pictures whose every class is right.
    ``precisions`` is the average precision of each class, NaN where it never applies, and
    ``micro_precision`` that of all pairs of picture and class taken together. ``loss`` is the mean
    binary cross entropy over pictures and classes, in nats.
    """

    total: int
    applying: NDArray[np.int64]  # [classes]
    answered: NDArray[np.int64]  # [classes]
    right: NDArray[np.int64]  # [classes]
    exact: int
    precisions: NDArray[np.float64]  # [classes]
    micro_precision: float
    loss: float
    reliability: Reliability

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.applying)

    @property
    def map(self) -> float | None:
        """The mean of the average precisions (mAP, macro); None where no class ever applies."""
        present = self.applying > 0
        return float(self.precisions[present].mean()) if present.any() else None

    @property
    def figures(self) -> ClassFigures:
        """Precision, recall and F1 of each class at the threshold."""
        return class_figures(self.right, self.answered, self.applying)

    @property
    def micro_f1(self) -> float:
        """The F1 of all pairs of picture and class taken together; 0 where there are none."""
        pairs = int(self.answered.sum() + self.applying.sum())
        return 2 * int(self.right.sum()) / max(1, pairs)


def count_labels(probabilities: NDArray[np.float32], labels: NDArray[np.bool_]) -> LabelTally:
    """Count ``probabilities`` [N, classes] against ``labels`` bool [N, classes].

    A probability that is no number counts as 0, the surest of wrong answers where the class holds.
    """
    sound = np.nan_to_num(probabilities, nan=0.0)
    answers = sound >= THRESHOLD
    reliability = Reliability()
    reliability.add(sound.ravel(), labels.ravel())
    precisions = [
        average_precision(sound[:, place], labels[:, place]) for place in range(labels.shape[1])
    ]
    return LabelTally(
        total=len(labels),
        applying=labels.sum(axis=0, dtype=np.int64),
        answered=answers.sum(axis=0, dtype=np.int64),
        right=(answers & labels).sum(axis=0, dtype=np.int64),
        exact=int((answers == labels).all(axis=1).sum()),
        precisions=np.array(precisions),
        micro_precision=average_precision(sound.ravel(), labels.ravel()),
        loss=binary_cross_entropy(sound, labels),
        reliability=reliability,
    )


def average_precision(scores: NDArray[np.float32], applies: NDArray[np.bool_]) -> float:
    """Return the sum over falling thresholds of the rise in recall times precision.

    ``scores`` and ``applies`` are [N]. Equal scores are one threshold, so that their order does not
    matter; nothing is interpolated (as scikit-learn's ``average_precision_score``). NaN where
    nothing applies.
    """
    positives = int(applies.sum())
    if positives == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)  # of each threshold
    found = np.cumsum(applies[order])[last]
    recall_steps = np.diff(found, prepend=0) / positives
    return float((recall_steps * found / (last + 1)).sum())


def binary_cross_entropy(probabilities: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """Return the mean over pictures and classes, in nats."""
    held = probabilities.astype(np.float64)
    held = np.where(labels, held, 1 - held)
    return float(-np.log(np.fmax(held, SMALLEST)).mean())
