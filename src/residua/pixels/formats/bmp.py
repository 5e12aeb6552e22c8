"""BMP: the size from the header, of which seven lengths are in use."""

import struct

from residua.pixels.formats.header import BrokenHeaderError, Header

_CORE = 12  # OS/2's first header, with sizes of 16 bits
_HEADERS = {_CORE, 40, 52, 56, 64, 108, 124}


def read_bmp(data: bytes) -> Header:
    """Read width and height; a negative height marks a picture stored from top to bottom."""
    (length,) = struct.unpack_from("<I", data, 14)
    if length not in _HEADERS:
        raise BrokenHeaderError(f"has a header of {length} bytes, which no BMP has")
    if length == _CORE:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<II", data, 18)
        # As Pillow reads it: a high byte of 255 is a sign. A width has none.
        height = 2**32 - height if height >> 24 == 0xFF else height
    return Header("BMP", width, height, data)
