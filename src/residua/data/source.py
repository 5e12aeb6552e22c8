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

    ``labels`` index ``classes`` (int64 [N]); of multi-label data they say of each class whether it
    applies (bool [N, classes]). A name says where the picture lies, as a user would write it.
    ``groups`` (empty, or one a picture) are kept together by a grouped split. ``notes`` are
    findings to show to the user: folders without pictures and the like.
    """

    title: str
    classes: Classes
    names: tuple[str, ...]
    labels: NDArray[np.int64] | NDArray[np.bool_]
    read: Callable[[int], bytes]
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.names)

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have any number of classes."""
        return self.labels.ndim == 2

    def spell_label(self, position: int) -> str:
        """Return the class of a picture by name; of multi-label data all, joined by commas."""
        label = self.labels[position]
        numbers = np.flatnonzero(label) if self.multi_label else [int(label)]
        return ",".join(self.classes.names[number] for number in numbers)

    def count_classes(self) -> NDArray[np.int64]:
        """Return the number of pictures of each class: int64 [classes]."""
        if self.multi_label:
            counts: NDArray[np.int64] = self.labels.sum(axis=0, dtype=np.int64)
            return counts
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
            groups=tuple(self.groups[position] for position in chosen) if self.groups else (),
        )

    def listing_sha256(self) -> str:
        """Return the fingerprint of names and labels: it knows a data set again, not its pixels."""
        lines = sorted(f"{self.spell_label(i)}\t{name}" for i, name in enumerate(self.names))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Taken:
    """Reads by position in a part of a source."""

    read: Callable[[int], bytes]
    positions: tuple[int, ...]

    def __call__(self, index: int) -> bytes:
        return self.read(self.positions[index])
