"""JPEGs that are plain enough to be decoded in part: which they are, and how rows are left off.

Plain is what nearly all photos are: baseline or progressive, Huffman-coded, 8 bits, grey or YCbCr,
not cut off. All others go through the whole of ``pixels.decode``.
"""

import struct
from dataclasses import dataclass

from residua.pixels.formats.header import Header
from residua.pixels.formats.jpeg import iterate_segments

_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_ADOBE, _RESTARTS = 0xEE, 0xDD
_YCBCR = 1  # Adobe's number for it; 0 is RGB (of three components)
_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class PlainJpeg:
    """``content`` is the file; ``height_at`` is where in it the two bytes of the height stand.

    Blocks come in rows of ``step`` pixels. ``divisible``: they stand in the file from top to bottom
    without marks between them, so that those at the bottom can be left off.
    """

    content: bytes
    width: int
    height: int
    height_at: int
    step: int
    divisible: bool


def read_plain(header: Header) -> PlainJpeg | None:
    """Return what is needed to decode parts of a JPEG, or None where it is not a plain one.

    ``header`` is of ``sniff``: there is one frame header, and EXIF and the like are off already.
    """
    if header.format != "JPEG":
        return None
    content = header.content
    frame, scan, restarts = -1, 2, False
    for marker, start, end in iterate_segments(content):
        scan = end
        if marker in {_BASELINE, _EXTENDED, _PROGRESSIVE}:
            frame = start
        elif marker == _RESTARTS:
            restarts = content[start + 4 : end] != b"\0\0"
        elif marker == _ADOBE and content[end - 1 : end] != bytes([_YCBCR]):
            return None
    scan = content.find(b"\xff\xda", scan)
    # Without an end the file is cut off, which Pillow tells from a picture that only looks bad.
    if frame < 0 or content.rfind(_END) <= scan:
        return None
    bits, _, _, count = struct.unpack_from(">BHHB", content, frame + 4)
    components = content[frame + 10 : frame + 10 + 3 * count]
    names, samplings = components[::3], components[1::3]
    step = 8 * max((sampling & 15 for sampling in samplings), default=0)
    if bits != 8 or count not in {1, 3} or names == b"RGB" or not step:
        return None
    return PlainJpeg(
        content=content,
        width=header.width,
        height=header.height,
        height_at=frame + 5,
        step=step,
        divisible=content[frame + 1] != _PROGRESSIVE
        and content[scan + 4 : scan + 5] == bytes([count])
        and not restarts,
    )


def keep_rows(jpeg: PlainJpeg, least: int) -> tuple[bytes, int]:
    """Return a file of the first rows of ``jpeg``, at least ``least``, and how many these are.

    A decoder stops at the height that the header gives, so that number is all that changes.
    """
    rows = -(-least // jpeg.step) * jpeg.step
    if not jpeg.divisible or rows >= jpeg.height:
        return jpeg.content, jpeg.height
    view, at = memoryview(jpeg.content), jpeg.height_at
    return b"".join([view[:at], rows.to_bytes(2, "big"), view[at + 2 :]]), rows
