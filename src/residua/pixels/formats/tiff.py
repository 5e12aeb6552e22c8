"""TIFF 6.0 and BigTIFF: the first directory, rewritten with nothing in it but the picture.

The new directory stands in the place of the old one and refers to the same data. libtiff and
Pillow so see one page, no unknown tags and no metadata, and single values where these belong.
"""

import struct
from dataclasses import dataclass

from residua.pixels.formats.header import FRAMES_COUNTED, BrokenHeaderError, Header

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_ORIENTATION, _SAMPLES = 274, 277
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
# Tags with one number: size, compression, photometry, fill order, samples, rows per strip, planar
# configuration, fax options, predictor, tile size, ink set, YCbCr positioning.
_SINGLE = {256, 257, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323, 332, 512, 531}
# Tags with several: bits, strips, colour map, tiles, extra samples, sample format, JPEG tables,
# old JPEG's tables, YCbCr's coefficients, subsampling and reference, LERC's parameters.
_SEVERAL = {258, 273, 279, 320, 324, 325, 338, 339, 347, 513, 514, 515, 519, 520, 521}
_SEVERAL |= {529, 530, 532, 50674}
_NUMBERS = _SINGLE | {_BITS, _ORIENTATION}
# Bytes of a value by its type, and struct's letter of the integers among the types.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_TYPE_BYTES |= {13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_MAX_SAMPLES = 6
_MAX_TILE = 1 << 24  # pixels; tiles are 64 to 4096 pixels wide


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the numbers of a directory are written."""

    order: str
    big: bool

    def unpack(self, letters: str, data: bytes, position: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + letters, data, position)

    def pack(self, letters: str, *values: int) -> bytes:
        return struct.pack(self.order + letters, *values)

    @property
    def offset(self) -> str:
        return "Q" if self.big else "I"

    @property
    def count(self) -> str:
        return "Q" if self.big else "H"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag: its type, how many values it has, the bytes in the entry, where its data begin."""

    kind: int
    count: int
    field: bytes
    start: int


def read_tiff(data: bytes) -> Header:
    """Read the first directory; ``frames`` counts the pages."""
    order = "<" if data[:2] == b"II" else ">"
    layout = _Layout(order, big=struct.unpack_from(order + "H", data, 2)[0] == 43)
    (start,) = layout.unpack(layout.offset, data, 8 if layout.big else 4)
    entries, following = _read_directory(data, layout, start)
    numbers = {tag: _read_number(data, layout, entries[tag]) for tag in _NUMBERS & entries.keys()}
    if _WIDTH not in numbers or _HEIGHT not in numbers:
        raise BrokenHeaderError("does not say its size")
    if numbers.get(_SAMPLES, 1) > _MAX_SAMPLES:
        raise BrokenHeaderError(f"has more than {_MAX_SAMPLES} samples a pixel")
    if numbers.get(_TILE_WIDTH, 1) * numbers.get(_TILE_HEIGHT, 1) > _MAX_TILE:
        raise BrokenHeaderError(f"has tiles of more than {_MAX_TILE} pixels")
    bits = numbers.get(_BITS, 1)
    orientation = numbers.get(_ORIENTATION, 1)
    return Header(
        "TIFF",
        numbers[_WIDTH],
        numbers[_HEIGHT],
        _replace_directory(data, layout, start, entries, numbers),
        frames=_count_pages(data, layout, {start}, following),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        bits=bits if 8 < bits <= 16 else 16,
        # Pillow inverts up to 8 bits itself and nothing beyond.
        white_is_zero=bits > 8 and numbers.get(_PHOTOMETRIC) == 0,
    )


def _read_directory(data: bytes, layout: _Layout, start: int) -> tuple[dict[int, _Entry], int]:
    """Return the entries that matter, of which the first of a tag counts, and the next offset."""
    (count,) = layout.unpack(layout.count, data, start)
    length = 20 if layout.big else 12
    position = start + struct.calcsize(layout.count)
    end = position + count * length
    if end > len(data):
        raise BrokenHeaderError("ends before the picture begins")
    entries: dict[int, _Entry] = {}
    for at in range(position, end, length):
        tag, kind, values = layout.unpack("HH" + layout.offset, data, at)
        if tag in entries or tag not in _SINGLE | _SEVERAL | {_ORIENTATION} or not values:
            continue
        field = data[at + length - (8 if layout.big else 4) : at + length]
        size = values * _TYPE_BYTES.get(kind, 1)
        place = at + length - len(field)
        if size > len(field):
            (place,) = layout.unpack(layout.offset, field, 0)
            if place + size > len(data):
                raise BrokenHeaderError(f"says that tag {tag} lies beyond its end")
        entries[tag] = _Entry(kind, values, field, place)
    following = data[end : end + struct.calcsize(layout.offset)]
    complete = len(following) == struct.calcsize(layout.offset)
    return entries, layout.unpack(layout.offset, following, 0)[0] if complete else 0


def _read_number(data: bytes, layout: _Layout, entry: _Entry) -> int:
    """Return the first value of a tag that holds integers."""
    if entry.kind not in _INTEGERS:
        raise BrokenHeaderError("has a tag of a wrong type")
    return layout.unpack(_INTEGERS[entry.kind], data, entry.start)[0]


def _replace_directory(
    data: bytes, layout: _Layout, start: int, entries: dict[int, _Entry], numbers: dict[int, int]
) -> bytes:
    """Write a directory of ``entries`` over the one at ``start``, which is at least as long.

    The orientation is left out, since we apply it ourselves; no page follows.
    """
    kept = sorted(entries.keys() - {_ORIENTATION})
    parts = [layout.pack(layout.count, len(kept))]
    for tag in kept:
        entry = entries[tag]
        kind, count, field = entry.kind, entry.count, entry.field
        if tag in _SINGLE:
            kind, count = (16 if layout.big else 4), 1
            field = layout.pack(layout.offset, numbers[tag])
        parts.append(layout.pack("HH" + layout.offset, tag, kind, count) + field)
    parts.append(layout.pack(layout.offset, 0))
    view = memoryview(data)
    end = start + sum(map(len, parts))
    return b"".join([view[:start], *parts, view[end:]])


def _count_pages(data: bytes, layout: _Layout, seen: set[int], following: int) -> int:
    """Follow the chain of directories until it ends, breaks or bites its tail."""
    while following and following not in seen and len(seen) < FRAMES_COUNTED:
        try:
            (count,) = layout.unpack(layout.count, data, following)
            end = following + struct.calcsize(layout.count) + count * (20 if layout.big else 12)
            seen.add(following)
            (following,) = layout.unpack(layout.offset, data, end)
        except (struct.error, OverflowError):
            break
    return len(seen)
