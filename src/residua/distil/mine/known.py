"""The validation pictures, by their looks: what is chosen must not be one of them.

Hashes of 64 bits and thumbnails (``data.doctor.likeness``) of the picture and of its mirror image.
What is a near duplicate by the doctor's bounds is one; of what lies between these and looser ones
the teacher's features decide (``confirm``). To leave out a picture too many costs nothing. SSLD
took SIFT (4,511 pictures removed). How much is found: LOG.md, "near duplicates".
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import ImageError
from residua.base.machine import usable_cores
from residua.base.progress import progressing
from residua.data.doctor.likeness import (
    CORRELATION,
    DISTANCE,
    THUMB,
    correlate,
    hash_grey,
    is_blank,
    make_grey,
    make_thumb,
)
from residua.data.source import Source
from residua.pixels.decode import read_picture

_LOOSE_BITS = 16  # of 64 in which the hashes of a candidate differ at most
_LOOSE_CORRELATION = 0.7  # of its thumbnail, at least
_LOOKED_AT = 128  # pixels of the short side: enough for a hash of 32 x 32


@dataclass(frozen=True, slots=True)
class Looks:
    """The hash of a picture or its mirror image, and its thumbnail uint8 [256]."""

    code: int
    thumb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Match:
    """A known picture that looks alike: its position, the bits in which hashes differ.

    ``certain`` says that it counts whatever the teacher finds.
    """

    position: int
    bits: int
    certain: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Hashes uint64 [N] and thumbnails uint8 [N, 256] of the pictures of ``source``."""

    source: Source | None
    positions: NDArray[np.int64]
    codes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]

    def find(self, looks: Sequence[Looks]) -> Match | None:
        """Return the picture that looks most like one of ``looks``; None where none does."""
        found = [match for each in looks if (match := self._find(each)) is not None]
        return min(found, key=lambda match: match.bits, default=None)

    def _find(self, looks: Looks) -> Match | None:
        if not len(self.codes) or is_blank(looks.thumb):
            return None
        bits = np.bitwise_count(self.codes ^ np.uint64(looks.code))
        near = np.flatnonzero(bits <= _LOOSE_BITS)
        own = np.broadcast_to(looks.thumb, (len(near), len(looks.thumb)))
        correlation = correlate(own, self.thumbs[near])
        alike = near[correlation >= _LOOSE_CORRELATION]
        if not len(alike):
            return None
        best = int(alike[np.argmin(bits[alike])])
        distance = int(bits[best])
        certain = distance <= DISTANCE and bool(correlation[near == best][0] >= CORRELATION)
        return Match(int(self.positions[best]), distance, certain)


def look(data: bytes, name: str, *, mirrored: bool = False) -> tuple[Looks, ...]:
    """Return the looks of an encoded picture, and of its mirror image too. Raises ImageError."""
    image = read_picture(data, name=name, min_side=_LOOKED_AT).image.convert("L")
    grey, thumb = make_grey(image), make_thumb(image)
    looks = Looks(hash_grey(grey), thumb)
    if not mirrored:
        return (looks,)
    other = thumb.reshape(THUMB, THUMB)[:, ::-1].ravel()
    return looks, Looks(hash_grey(np.ascontiguousarray(grey[:, ::-1])), other)


def know(source: Source | None) -> Known:
    """Look at all pictures of ``source``; those that cannot be read cannot be met again either."""
    found: list[Looks] = []
    positions: list[int] = []
    if source is not None:
        with ThreadPoolExecutor(usable_cores()) as threads:
            looking = threads.map(lambda index: _try(source, index), range(len(source)))
            for index, looks in enumerate(
                progressing(looking, "Looking at the validation pictures", len(source))
            ):
                if looks is not None:
                    found.append(looks)
                    positions.append(index)
    return Known(
        source, np.array(positions, dtype=np.int64), _codes(found),
        np.array([each.thumb for each in found], dtype=np.uint8).reshape(len(found), THUMB**2),
    )  # fmt: skip


def _codes(found: Sequence[Looks]) -> NDArray[np.uint64]:
    return np.array([each.code for each in found], dtype=np.uint64)


def _try(source: Source, index: int) -> Looks | None:
    try:
        return look(source.read(index), source.names[index])[0]
    except (ImageError, OSError):
        return None
