"""Figures of a classifier from its probabilities, counted exactly. Knows no torch."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from residua.evaluate.confusion import ClassFigures, class_figures
from residua.evaluate.reliability import Reliability

# What underflowed to 0 in float32 (or is no number at all) counts as this in the loss.
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(slots=True)
class Tally:
    """Counts over the pictures seen so far; tallies of parts of a data set add up to the whole's.

    ``right`` are those whose class is the first answer, ``near`` those whose class is among the
    first five (or among all, where there are fewer classes). ``confusion`` counts pictures of class
    row that were answered with class column; a picture with a NaN among its probabilities has no
    answer and is neither there nor in ``reliability``.
    """

    num_classes: int
    images: NDArray[np.int64] = field(init=False)  # [classes]
    right: NDArray[np.int64] = field(init=False)  # [classes]
    near: NDArray[np.int64] = field(init=False)  # [classes]
    confusion: NDArray[np.int64] = field(init=False)  # [classes, classes]
    reliability: Reliability = field(init=False, default_factory=Reliability)
    loss_sum: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Begin with nothing counted."""
        self.images = np.zeros(self.num_classes, dtype=np.int64)
        self.right = np.zeros(self.num_classes, dtype=np.int64)
        self.near = np.zeros(self.num_classes, dtype=np.int64)
        self.confusion = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)

    def add(self, probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Count a batch: ``probabilities`` [N, classes] against ``labels`` int64 [N]."""
        ranks = rank_labels(probabilities, labels)
        np.add.at(self.images, labels, 1)
        np.add.at(self.right, labels[ranks == 0], 1)
        np.add.at(self.near, labels[ranks < min(5, self.num_classes)], 1)
        self.loss_sum += float(nll(probabilities, labels).sum())
        answers = first_answers(probabilities)
        sound = answers >= 0
        np.add.at(self.confusion, (labels[sound], answers[sound]), 1)
        self.reliability.add(probabilities[sound].max(axis=1), (ranks == 0)[sound])

    def merge(self, other: "Tally") -> None:
        """Count what ``other`` has counted too."""
        self.images += other.images
        self.right += other.right
        self.near += other.near
        self.confusion += other.confusion
        self.reliability.merge(other.reliability)
        self.loss_sum += other.loss_sum

    @property
    def total(self) -> int:
        """The number of pictures counted."""
        return int(self.images.sum())

    @property
    def top1(self) -> float:
        """The share of pictures whose class is the first answer."""
        return int(self.right.sum()) / self.total

    @property
    def top5(self) -> float:
        """The share of pictures whose class is among the first five answers."""
        return int(self.near.sum()) / self.total

    @property
    def loss(self) -> float:
        """The mean negative log-likelihood, in nats."""
        return self.loss_sum / self.total

    @property
    def figures(self) -> ClassFigures:
        """Precision, recall and F1 of each class."""
        return class_figures(self.right, self.confusion.sum(axis=0), self.images)


def rank_labels(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each label in its row, best first: 0 is the first answer. int64 [N].

    Of equal probabilities the lower class comes first, as in a stable sort. A row with a NaN has
    no answer: its label comes last.
    """
    rows, classes = probabilities.shape
    own = probabilities[np.arange(rows), labels][:, None]  # [N, 1]
    before = np.arange(classes)[None, :] < labels[:, None]  # [N, classes]
    ranks = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
    broken = np.isnan(probabilities).any(axis=1)
    places: NDArray[np.int64] = np.where(broken, classes, ranks).astype(np.int64)
    return places


def first_answers(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the first answer of each row: int64 [N]; -1 where a NaN leaves none."""
    broken = np.isnan(probabilities).any(axis=1)
    answers: NDArray[np.int64] = np.where(broken, -1, probabilities.argmax(axis=1))
    return answers


def nll(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each label, in nats: float64 [N]."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.fmax(chosen, SMALLEST))
    return losses
