"""PNG (ISO 15948): the size from IHDR, ancillary chunks left out.

Of an animated PNG the default picture is decoded, which is the first frame of nearly all.
"""

import struct
import zlib

from residua.pixels.formats.exif import read_orientation
from residua.pixels.formats.header import BrokenHeaderError, Header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_MAX_CHUNKS = 1 << 18  # 64 MB in the 8 kB chunks of libpng are 2^13
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# The seven passes of an interlaced picture: x and y of the first pixel, then the steps.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def read_png(data: bytes) -> Header:
    """Read the chunks; those that make the picture are kept as they are, checksums and all."""
    view = memoryview(data)
    kept = [view[: len(SIGNATURE)]]
    frames, orientation, position = 1, 1, len(SIGNATURE)
    found: set[bytes] = set()
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        body, position = position + 8, position + 12 + length
        if kind == b"IEND":
            break
        if position > len(data):
            if kind not in _KEPT_CHUNKS:
                break
            raise BrokenHeaderError("ends in the middle of the picture")
        if kind in _KEPT_CHUNKS:
            kept.append(view[body - 8 : position])
        elif kind == b"acTL" and length >= 4:
            frames = max(1, int.from_bytes(data[body : body + 4], "big"))
        elif kind == b"eXIf":
            orientation = read_orientation(data[body : body + length])
        found.add(kind)
    else:
        raise BrokenHeaderError(f"has more than {_MAX_CHUNKS} chunks")
    if b"IDAT" not in found or data[12:16] != b"IHDR":
        raise BrokenHeaderError("ends before the picture begins")
    width, height = struct.unpack_from(">II", data, 16)
    return Header("PNG", width, height, b"".join([*kept, _END]), frames, orientation)


def is_complete(content: bytes) -> bool:
    """Tell whether the compressed stream of a cleaned PNG holds every row that IHDR promises.

    Pillow leaves the rows black that are missing from a stream which ends in good order.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for left, top, right, down in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            expected += rows * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)
    inflate = zlib.decompressobj()
    position, inflated = len(SIGNATURE), 0
    while inflated < expected and position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        pending = content[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
        while pending and not inflate.eof:
            inflated += len(inflate.decompress(pending, 1 << 20))
            pending = inflate.unconsumed_tail
        position += 12 + length
    return inflated >= expected
