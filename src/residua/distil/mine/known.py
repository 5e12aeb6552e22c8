"""The validation pictures, by their looks: what is chosen must not be one of them.

First hashes of 64 bits and thumbnails (``data.doctor.likeness``), looser than for a finding: of
those the teacher's features decide, where it has any. SSLD took SIFT (4,511 pictures removed).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from residua.base.errors import ImageError
from residua.base.machine import usable_cores
from residua.base.progress import progressing
from residua.data.doctor.likeness import THUMB, correlate, hash_picture, is_blank, make_thumb
from residua.data.source import Source
from residua.pixels.decode import read_picture

BITS = 12  # of 64 in which the hashes of a candidate differ at most
CORRELATION = 0.8  # of its thumbnail, at least
_LOOKED_AT = 128  # pixels of the short side: enough for a hash of 32 x 32


@dataclass(frozen=True, slots=True)
class Looks:
    """The hash of a picture, and its thumbnail uint8 [256]."""

    code: int
    thumb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Known:
    """Hashes uint64 [N] and thumbnails uint8 [N, 256] of the pictures of ``source``."""

    source: Source | None
    positions: NDArray[np.int64]
    codes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]

    def find(self, looks: Looks) -> tuple[int, int]:
        """Return the picture that looks most alike, by position, and the bits; (-1, 0): none."""
        if not len(self.codes) or is_blank(looks.thumb):
            return -1, 0
        bits = np.bitwise_count(self.codes ^ np.uint64(looks.code))
        near = np.flatnonzero(bits <= BITS)
        if not len(near):
            return -1, 0
        own = np.broadcast_to(looks.thumb, (len(near), len(looks.thumb)))
        near = near[correlate(own, self.thumbs[near]) >= CORRELATION]
        if not len(near):
            return -1, 0
        best = near[np.argmin(bits[near])]
        return int(self.positions[best]), int(bits[best])


def look(data: bytes, name: str) -> Looks:
    """Return the looks of an encoded picture. Raises ImageError."""
    return look_at_image(read_picture(data, name=name, min_side=_LOOKED_AT).image)


def look_at_image(image: Image.Image) -> Looks:
    """Return the looks of a picture of mode RGB or L."""
    return Looks(hash_picture(image), make_thumb(image))


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
        return look(source.read(index), source.names[index])
    except (ImageError, OSError):
        return None
