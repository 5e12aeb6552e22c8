"""One picture looked at: what its file is, what its pixels show, and where it ends if it is cut.

It is read as everything in residua reads it, by ``pixels``; a look only notes what came of that.
"""

import hashlib
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from residua.base.errors import ImageDamagedError, ImageError
from residua.data.doctor.likeness import hash_picture, is_blank, make_thumb
from residua.pixels.decode import open_stored, read_picture
from residua.pixels.formats.header import Format, Header
from residua.pixels.sniff import sniff

FORMATS: tuple[Format, ...] = ("JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF")
_SUFFIXES: dict[Format, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
}
_KNOWN = {suffix for suffixes in _SUFFIXES.values() for suffix in suffixes}
_END_OF_JPEG = b"\xff\xd9"
# Where entropy-coded data are missing, libjpeg gives coefficients of zero: this grey, exactly.
_FILLING = 128
_BLOCK = 8  # pixels
# Which edge of the upright picture is the last that was decoded, for EXIF's orientations: how
# often the picture is turned by 90 degrees, counter-clockwise, to have that edge below.
_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}


class Trait(IntFlag):
    """What is special about a picture that can be read."""

    GREY = 1
    CMYK = 2
    ALPHA = 4
    PALETTE = 8
    DEEP = 16
    ANIMATED = 32
    MISNAMED = 64
    CUT = 128
    BLANK = 256


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one picture; ``size`` (width, height) is that of the upright picture.

    ``digest`` (16 bytes) is the beginning of the SHA-256 of its pixels and shape; ``code`` and
    ``thumb`` are those of ``likeness``.
    """

    format: Format
    size: tuple[int, int]
    orientation: int
    traits: Trait
    digest: bytes
    code: int
    thumb: NDArray[np.uint8]


def look_at(data: bytes, name: str) -> Look:
    """Decode a picture at full size and note what it is; raises ImageError.

    Where a JPEG is cut short the error says how much of it can be decoded all the same.
    """
    try:
        picture = read_picture(data, name=name)
    except ImageDamagedError as error:
        raise _describe_damage(data, name, error) from error
    header = sniff(data, name=name)
    pixels = np.asarray(picture.image)
    thumb = make_thumb(picture.image)
    traits = _read_traits(header, open_stored(header), name)
    if header.format == "JPEG" and _count_filled(_restore(pixels, header.orientation)):
        traits |= Trait.CUT
    if is_blank(thumb):
        traits |= Trait.BLANK
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return Look(
        header.format, picture.size, header.orientation, traits,
        digest.digest()[:16], hash_picture(picture.image), thumb,
    )  # fmt: skip


def salvage(data: bytes, name: str) -> NDArray[np.uint8] | None:
    """Return what can be decoded of a JPEG that is cut short, grey where it is missing."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    try:
        return np.asarray(read_picture(data + _END_OF_JPEG, name=name).image)
    except ImageError:
        return None


def _read_traits(header: Header, file: ImageFile, name: str) -> Trait:
    traits = Trait(0)
    mode = file.mode
    if mode in {"1", "L", "LA", "La", "I", "F"} or mode.startswith("I;16"):
        traits |= Trait.GREY
    if mode == "CMYK":
        traits |= Trait.CMYK
    if mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in file.info:
        traits |= Trait.ALPHA
    if mode in {"P", "PA"}:
        traits |= Trait.PALETTE
    # Pillow reads colours of 16 bits into 8: only the raw mode of its tiles tells.
    raw_modes = (str(tile.args) for tile in file.tile)
    if mode in {"I", "F"} or mode.startswith("I;16") or any(";16" in raw for raw in raw_modes):
        traits |= Trait.DEEP
    if header.frames > 1:
        traits |= Trait.ANIMATED
    suffix = f".{name.rpartition('.')[2].lower()}"
    if suffix in _KNOWN and suffix not in _SUFFIXES[header.format]:
        traits |= Trait.MISNAMED
    return traits


def _describe_damage(data: bytes, name: str, error: ImageDamagedError) -> ImageDamagedError:
    """Return the error with the file's length and, of a JPEG, what of it other programs show."""
    facts = f"The file ends at byte {len(data):,}"
    pixels = salvage(data, name)
    if pixels is not None:
        if _END_OF_JPEG not in data[-64:]:
            facts += ", without the end mark of a JPEG"
        stored = _restore(pixels, sniff(data, name=name).orientation)
        missing = _count_filled(stored)
        facts += f"; {len(stored) - missing} of {len(stored)} rows decode"
        facts += ": other programs show those and take the rest for grey" if missing else ""
    return ImageDamagedError(f"{error.problem} {facts}.", next_step=error.next_step)


def _restore(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return upright pixels turned so that the rows stored last are below; they may be mirrored."""
    return np.rot90(pixels, _TURNS.get(orientation, 0))


def _count_filled(stored: NDArray[np.uint8]) -> int:
    """Count the last rows that are nothing but the filling of a cut JPEG: a block of them, or 0.

    A picture that is all of this grey counts as one that is meant so.
    """
    # Nearly all pictures are told by their last row.
    if not (stored[-1] == _FILLING).all():
        return 0
    grey = (stored == _FILLING).reshape(len(stored), -1).all(axis=1)
    coloured = np.flatnonzero(~grey)
    filled = len(stored) - 1 - int(coloured[-1]) if len(coloured) else 0
    return filled if filled >= _BLOCK else 0
