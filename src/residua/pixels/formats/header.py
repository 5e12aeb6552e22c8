"""What the header of a picture file says."""

from dataclasses import dataclass
from typing import Literal

Format = Literal["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"]

# Counting stops here: no limit of frames needs more, and a hostile file could go on for minutes.
FRAMES_COUNTED = 1 << 16


class BrokenHeaderError(ValueError):
    """The header makes no sense; the message completes "photo.jpg is a damaged PNG: it …".

    It never leaves ``pixels``: ``sniff`` makes it an ImageDamagedError that names the file.
    """


@dataclass(frozen=True, slots=True)
class Header:
    """Format and declared size of a picture, and the file cut down to its first frame.

    ``width`` and ``height`` are as stored; ``orientation`` is EXIF's number 1…8 of how to turn
    them. ``bits`` are those of a sample of 9…16 bits, where the file says so. ``white_is_zero``
    marks the TIFF samples whose inversion is left to us.
    """

    format: Format
    width: int
    height: int
    content: bytes
    frames: int = 1
    orientation: int = 1
    bits: int = 16
    white_is_zero: bool = False
