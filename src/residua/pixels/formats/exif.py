"""The one fact that EXIF tells about pixels: how the camera was held.

Only EXIF is asked; XMP may repeat it, and where the two differ viewers follow EXIF. Whatever is
wrong with an EXIF block, the picture is left as it is: metadata never make a picture unreadable.
"""

import struct

from residua.pixels.orientation import ORIENTATION

_SHORT, _LONG = 3, 4


def read_orientation(block: bytes) -> int:
    """Return EXIF's orientation, 1…8, of a block that starts with a TIFF header; 1 if unknown."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for index in range(count):
            entry = start + 2 + 12 * index
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == ORIENTATION and kind in {_SHORT, _LONG}:
                (value,) = struct.unpack_from(order + "HI"[kind == _LONG], block, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
