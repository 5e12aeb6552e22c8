"""What a file is, by its content and never by its name: format, declared size, frames."""

import struct
from collections.abc import Callable

from residua.base.errors import ImageDamagedError, NotAnImageError
from residua.pixels.formats.bmp import read_bmp
from residua.pixels.formats.gif import read_gif
from residua.pixels.formats.header import BrokenHeaderError, Format, Header
from residua.pixels.formats.jpeg import read_jpeg
from residua.pixels.formats.others import name_format, read_icon_size
from residua.pixels.formats.png import SIGNATURE, read_png
from residua.pixels.formats.tiff import read_tiff
from residua.pixels.formats.webp import read_webp
from residua.pixels.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_bytes,
    check_frames,
    check_size,
    label,
)

_READERS: dict[Format, Callable[[bytes], Header]] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WebP": read_webp,
    "BMP": read_bmp,
    "GIF": read_gif,
    "TIFF": read_tiff,
}
_MAGIC: dict[bytes, Format] = {
    b"\xff\xd8\xff": "JPEG",
    SIGNATURE: "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_READ = "residua reads JPEG, PNG, WebP, BMP, GIF and TIFF."


def sniff(data: bytes, *, limits: Limits = DEFAULT_LIMITS, name: str = "") -> Header:
    """Return what the header of a picture says; nothing is decoded.

    Raises NotAnImageError where the content is no format that residua reads, ImageDamagedError
    where the header makes no sense, ImageTooLargeError where it declares more than ``limits``
    admits. The messages name the file by ``name``.
    """
    check_bytes(len(data), limits, name)
    kind = _recognise(data)
    if kind is None:
        raise _refuse(data, limits, name)
    try:
        header = _READERS[kind](data)
    except (struct.error, IndexError, OverflowError):
        raise damaged(kind, "ends before the picture begins", name) from None
    except BrokenHeaderError as error:
        raise damaged(kind, str(error), name) from None
    check_size(header.width, header.height, limits, name)
    check_frames(header.frames, limits, name)
    if not (header.width and header.height):
        raise damaged(kind, "has no pixels", name)
    return header


def damaged(kind: str, what: str, name: str) -> ImageDamagedError:
    """Return the error of a file whose format is known; ``what`` completes "it …"."""
    return ImageDamagedError(
        f"{label(name)} is a damaged or unsupported {kind}: it {what}.",
        next_step="Copy the file again from where it came, or save it anew with another program.",
    )


def _recognise(data: bytes) -> Format | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    # Two letters prove nothing; the length of the header after them is a small number.
    if data[:2] == b"BM" and data[15:18] == b"\0\0\0":
        return "BMP"
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)


def _refuse(data: bytes, limits: Limits, name: str) -> NotAnImageError:
    """Return the error of a file that is no picture to us."""
    if not data:
        return NotAnImageError(f"{label(name)} is empty.", next_step=_READ)
    kind = name_format(data)
    if kind in {"ICO", "CUR"}:
        check_size(*read_icon_size(data), limits, name)
    if kind:
        return NotAnImageError(
            f"{label(name)} is {kind}, which residua does not read.",
            next_step=f"{_READ} Save it as one of these.",
        )
    return NotAnImageError(
        f"{label(name)} is no picture: its content is of no known format.", next_step=_READ
    )
