"""A source: labelled pictures by position. Every kind of data set is opened as one of these."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from residua.bundle.schema import Classes


@dataclass(frozen=True, slots=True)
class Source:
    """Labelled pictures: ``names`` and ``labels`` by position, and ``read`` for their bytes.

    ``labels`` (int64 [N]) index ``classes``. A name says where the picture lies, as a user would
    write it. ``notes`` are findings to show to the user: folders without pictures and the like.
    """

    title: str
    classes: Classes
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    read: Callable[[int], bytes]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.names)

    def count_classes(self) -> NDArray[np.int64]:
        """Return the number of pictures of each class: int64 [classes]."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def take(self, positions: NDArray[np.int64], title: str) -> "Source":
        """Return the source of the pictures at ``positions``, in that order."""
        chosen = [int(position) for position in positions]
        return replace(
            self,
            title=title,
            names=tuple(self.names[position] for position in chosen),
            labels=self.labels[positions],
            read=_Taken(self.read, tuple(chosen)),
        )

    def listing_sha256(self) -> str:
        """Return the fingerprint of names and labels: it knows a data set again, not its pixels."""
        labels = (self.classes.names[label] for label in self.labels)
        lines = sorted(f"{label}\t{name}" for label, name in zip(labels, self.names, strict=True))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Taken:
    """Reads by position in a part of a source."""

    read: Callable[[int], bytes]
    positions: tuple[int, ...]

    def __call__(self, index: int) -> bytes:
        return self.read(self.positions[index])
