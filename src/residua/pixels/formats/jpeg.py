"""JPEG (ISO 10918-1): the size from the frame header, everything but the picture left out."""

import re

from residua.pixels.formats.exif import read_orientation
from residua.pixels.formats.header import BrokenHeaderError, Header

# Of the application segments only these two change pixels: JFIF and Adobe's colour transform.
_KEPT_SEGMENTS = {0xE0, 0xEE}
_EXIF, _COMMENT = 0xE1, 0xFE
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Start-of-frame markers: C0 to CF but for the tables C4 and CC and the reserved C8.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)

# Every scan goes over the whole picture, so that thousands of empty ones stall a decoder.
# Encoders write about ten.
_MAX_SCANS = 200


def read_jpeg(data: bytes) -> Header:
    """Read the segments up to the first scan; what Pillow and libjpeg skip is skipped here."""
    size: tuple[int, int] | None = None
    orientation = 1
    kept = [b"\xff\xd8"]
    position = 2
    while True:
        start = data.find(b"\xff", position)
        if start < 0 or start + 4 > len(data):
            raise BrokenHeaderError("ends before the picture begins")
        marker = data[start + 1]
        if marker in {0x00, 0xFF} or marker in _WITHOUT_LENGTH:
            position = start + (1 if marker == 0xFF else 2)
            continue
        if marker == _START_OF_SCAN:
            break
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        position = start + 2 + length
        if length < 2 or position > len(data) or marker == _END_OF_IMAGE:
            raise BrokenHeaderError("ends before the picture begins")
        if marker in _FRAMES:
            if size is not None:
                raise BrokenHeaderError("has two frame headers")
            size = _read_size(data[start + 4 : position])
        if marker == _EXIF and orientation == 1 and data.startswith(b"Exif\0\0", start + 4):
            orientation = read_orientation(data[start + 4 : position])
        if marker in _KEPT_SEGMENTS or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            kept.append(data[start:position])
    if size is None:
        raise BrokenHeaderError("has no frame header")
    if data.count(b"\xff\xda", start) > _MAX_SCANS and _count_scans(data, start) > _MAX_SCANS:
        raise BrokenHeaderError(f"has more than {_MAX_SCANS} scans")
    kept.append(data[start:])
    return Header("JPEG", *size, b"".join(kept), orientation=orientation)


def _read_size(segment: bytes) -> tuple[int, int]:
    """Return width and height of a frame header: precision (1 byte), height, width (2 each)."""
    if len(segment) < 6:
        raise BrokenHeaderError("has a frame header that is too short")
    return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")


def _count_scans(data: bytes, position: int) -> int:
    """Count the scans from the first one on, to the end of the picture or a few too many."""
    scans = 0
    while scans <= _MAX_SCANS and (found := _MARKER.search(data, position)):
        marker = data[found.end() - 1]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + max(length, 0 if marker in _WITHOUT_LENGTH else 2)
    return scans
