"""JPEG (ISO 10918-1): the size from the frame header, everything but the picture left out."""

import re
import struct
from collections.abc import Iterator

from residua.pixels.formats.exif import read_orientation
from residua.pixels.formats.header import BrokenHeaderError, Header

# Of the application segments only these two change pixels: JFIF and Adobe's colour transform.
_KEPT_SEGMENTS = {0xE0, 0xEE}
_EXIF, _COMMENT = 0xE1, 0xFE
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Start-of-frame markers: C0 to CF but for the tables C4 and CC and the reserved C8.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)

# Every scan goes over the whole picture, so that thousands of empty ones stall a decoder.
# Encoders write about ten.
_MAX_SCANS = 200


def read_jpeg(data: bytes) -> Header:
    """Read the segments up to the first scan and leave out those that say nothing of pixels."""
    frame: tuple[int, int, int] | None = None
    progressive, orientation, scan = False, 1, 2
    view = memoryview(data)
    kept = [view[:2]]
    for marker, start, end in iterate_segments(data):
        scan = end
        if marker in _FRAMES:
            if frame is not None:
                raise BrokenHeaderError("has two frame headers")
            frame, progressive = _read_frame(data[start + 4 : end]), marker in _PROGRESSIVE
        if marker == _EXIF and orientation == 1 and data.startswith(b"Exif\0\0", start + 4):
            orientation = read_orientation(data[start + 4 : end])
        if marker in _KEPT_SEGMENTS or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            kept.append(view[start:end])
    if frame is None:
        raise BrokenHeaderError("has no frame header")
    width, height, components = frame
    # A scan of all components is the only one of a picture that is not progressive.
    several = progressive or data[data.find(b"\xff\xda", scan) + 4] < components
    if several and _count_scans(data, scan) > _MAX_SCANS:
        raise BrokenHeaderError(f"has more than {_MAX_SCANS} scans")
    whole = sum(map(len, kept)) == scan  # nothing to leave out: no copy of some megabytes
    content = data if whole else b"".join([*kept, view[scan:]])
    return Header("JPEG", width, height, content, orientation=orientation)


def iterate_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the first scan.

    Bytes between segments are passed over, as Pillow and libjpeg do.
    """
    position = 2
    while (start := data.find(b"\xff", position)) >= 0 and start + 4 <= len(data):
        marker = data[start + 1]
        if marker == _START_OF_SCAN:
            return
        if marker == 0xFF:
            position = start + 1
        elif marker == 0x00 or marker in _WITHOUT_LENGTH:
            position = start + 2
        else:
            length = int.from_bytes(data[start + 2 : start + 4], "big")
            position = start + 2 + length
            if length < 2 or position > len(data) or marker == _END_OF_IMAGE:
                break
            yield marker, start, position
    raise BrokenHeaderError("ends before the picture begins")


def _read_frame(segment: bytes) -> tuple[int, int, int]:
    """Return width, height and number of components; before them stands the precision."""
    _, height, width, components = struct.unpack_from(">BHHB", segment)
    return width, height, components


def _count_scans(data: bytes, position: int) -> int:
    """Count the scans up to the end of the picture or to one too many; 0 for "few enough"."""
    if data.count(b"\xff\xda", position) <= _MAX_SCANS:
        return 0
    scans = 0
    while scans <= _MAX_SCANS and (found := _MARKER.search(data, position)):
        marker = data[found.end() - 1]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + max(length, 0 if marker in _WITHOUT_LENGTH else 2)
    return scans
