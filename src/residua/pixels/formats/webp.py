"""WebP (RFC 9649): the canvas, the number of frames, the orientation."""

import struct

from residua.pixels.formats.exif import read_orientation
from residua.pixels.formats.header import FRAMES_COUNTED, BrokenHeaderError, Header

_PICTURE = {b"VP8 ", b"VP8L", b"ALPH", b"ANMF"}


def read_webp(data: bytes) -> Header:
    """Read the chunks of the RIFF container; the first tells the size."""
    size = _read_size(data)
    orientation, frames, position = 1, 0, 12
    while position + 8 <= len(data) and frames < FRAMES_COUNTED:
        kind, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if kind in _PICTURE and body + length > len(data):
            raise BrokenHeaderError("ends in the middle of the picture")
        if kind == b"EXIF":
            orientation = read_orientation(data[body : body + length])
        frames += kind == b"ANMF"
        position = body + length + length % 2
    return Header("WebP", *size, data, max(1, frames), orientation)


def _read_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        packed = int.from_bytes(data[24:30].ljust(6, b"\0"), "little")
        return (packed & 0xFFFFFF) + 1, (packed >> 24) + 1
    if kind == b"VP8L" and data[20:21] == b"\x2f":
        (packed,) = struct.unpack_from("<I", data, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BrokenHeaderError("begins with no picture")
