"""Figures of a classifier from its probabilities, counted exactly. Knows no torch."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# What underflowed to 0 in float32 (or is no number at all) counts as this in the loss.
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(slots=True)
class Tally:
    """Counts over the pictures seen so far; tallies of parts of a data set add up to the whole's.

    ``right`` are those whose class is the first answer, ``near`` those whose class is among the
    first five (or among all, where there are fewer classes).
    """

    num_classes: int
    images: NDArray[np.int64] = field(init=False)  # [classes]
    right: NDArray[np.int64] = field(init=False)  # [classes]
    near: NDArray[np.int64] = field(init=False)  # [classes]
    loss_sum: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Begin with nothing counted."""
        self.images = np.zeros(self.num_classes, dtype=np.int64)
        self.right = np.zeros(self.num_classes, dtype=np.int64)
        self.near = np.zeros(self.num_classes, dtype=np.int64)

    def add(self, probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Count a batch: ``probabilities`` [N, classes] against ``labels`` int64 [N]."""
        ranks = rank_labels(probabilities, labels)
        np.add.at(self.images, labels, 1)
        np.add.at(self.right, labels[ranks == 0], 1)
        np.add.at(self.near, labels[ranks < min(5, self.num_classes)], 1)
        chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        self.loss_sum -= float(np.log(np.fmax(chosen, _SMALLEST)).sum())

    def merge(self, other: "Tally") -> None:
        """Count what ``other`` has counted too."""
        self.images += other.images
        self.right += other.right
        self.near += other.near
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
