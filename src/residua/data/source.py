"""A source: labelled pictures by position. Every kind of data set is opened as one of these."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from residua.bundle.schema import Classes

UNLABELLED = -1  # in place of a label: the picture has none


@dataclass(frozen=True, slots=True)
class Source:
    """Labelled pictures: ``names`` and ``labels`` by position, and ``read`` for their bytes.

    ``labels`` index ``classes`` (int64 [N]), or are ``UNLABELLED``; of multi-label data they say of
    each class whether it applies (bool [N, classes]). A name says where the picture lies, as a user
    would write it. ``groups`` (empty, or one a picture) are kept together by a grouped split.
    ``notes`` are findings to show to the user: folders without pictures and the like.
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
        if not self.multi_label and label == UNLABELLED:
            return ""
        numbers = np.flatnonzero(label) if self.multi_label else [int(label)]
        return ",".join(self.classes.names[number] for number in numbers)

    def count_classes(self) -> NDArray[np.int64]:
        """Return the number of pictures of each class: int64 [classes]."""
        if self.multi_label:
            counts: NDArray[np.int64] = self.labels.sum(axis=0, dtype=np.int64)
            return counts
        labelled = self.labels[self.labels != UNLABELLED]
        return np.bincount(labelled, minlength=len(self.classes)).astype(np.int64)

    def file(self, position: int) -> Path | None:
        """Return the file of a picture; None where pictures are parts of larger files."""
        return _file_of(self.read, position)

    def take(self, positions: NDArray[np.int64], title: str) -> "Source":
        """Return the source of the pictures at ``positions``, in that order."""
        chosen = [int(position) for position in positions]
        return replace(
            self,
            title=title,
            names=tuple(self.names[position] for position in chosen),
            labels=self.labels[positions],
            read=_Taken(self.read, positions),
            groups=tuple(self.groups[position] for position in chosen) if self.groups else (),
        )

    def listing_sha256(self) -> str:
        """Return the fingerprint of names and labels: it knows a data set again, not its pixels."""
        lines = sorted(f"{self.spell_label(i)}\t{name}" for i, name in enumerate(self.names))
        # Names that are no UTF-8 come from the system as escapes.
        listing = "\n".join(lines).encode(errors="surrogateescape")
        return hashlib.sha256(listing).hexdigest()


@dataclass(frozen=True, slots=True)
class Parts:
    """A training and a validation part; of a split also the fingerprint of the whole listing."""

    training: Source
    validation: Source
    listing_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """Reads pictures that are files of their own: ``names`` are paths relative to ``root``."""

    root: Path
    names: tuple[str, ...]

    def path(self, index: int) -> Path:
        """Return the file of a picture."""
        return self.root / self.names[index]

    def __call__(self, index: int) -> bytes:
        """Return the content of a picture's file; raises OSError."""
        return self.path(index).read_bytes()


@dataclass(frozen=True, slots=True)
class _Taken:
    """Reads by position in a part of a source."""

    read: Callable[[int], bytes]
    positions: NDArray[np.int64]

    def __call__(self, index: int) -> bytes:
        return self.read(int(self.positions[index]))


def _file_of(read: Callable[[int], bytes], position: int) -> Path | None:
    if isinstance(read, _Taken):
        return _file_of(read.read, int(read.positions[position]))
    return read.path(position) if isinstance(read, Files) else None
