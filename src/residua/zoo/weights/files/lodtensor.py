"""Paddle's binary tensors and programs: the records of ``.pdiparams`` and of the 1.x archives.

Sources: Paddle's ``framework/lod_tensor.cc`` and ``tensor_util.cc`` (the record: version, levels of
detail, version, description, bytes) and ``framework/framework.proto`` (the field numbers below).
"""

import math
import struct
from collections.abc import Iterator

import numpy as np

# VarType.Type of framework.proto → numpy; 22 is bfloat16, kept as its 16 bits.
_ITEM_TYPES = {
    0: "b1", 1: "<i2", 2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8", 20: "u1", 21: "i1",
    22: "<u2",
}  # fmt: skip
_BFLOAT16 = 22
_LOD_TENSOR = 7  # the variable types that are no tensors (feed, fetch, raw) have other numbers
_MOST_DIMENSIONS = 8
_MOST_LEVELS = 8


class RecordError(Exception):
    """Bytes that are no such record or program."""


def read_records(data: bytes, names: list[str]) -> dict[str, np.ndarray]:
    """Read one record a name, one behind the other, to the very end of ``data``.

    Raises RecordError where there are fewer, or bytes left over.
    """
    tensors: dict[str, np.ndarray] = {}
    place = 0
    for name in names:
        tensors[name], place = _read_record(data, place)
    if place != len(data):
        raise RecordError(f"{len(data) - place} bytes are left over after {len(names)} tensors")
    return tensors


def persistent_names(program: bytes) -> list[str]:
    """Return the names of a program's saved tensors in the order of ``.pdiparams``: sorted."""
    names: list[str] = []
    for block in _submessages(program, 1):
        for variable in _submessages(block, 3):
            fields = dict(_fields(variable))
            kind = dict(_fields(_as_bytes(fields.get(2, b"")))).get(1)
            if fields.get(3) == 1 and kind == _LOD_TENSOR:
                names.append(_as_bytes(fields.get(1, b"")).decode("utf-8"))
    return sorted(names)


def _read_record(data: bytes, place: int) -> tuple[np.ndarray, int]:
    """Read the record at ``place``; return its tensor and the place behind it."""
    (version, levels), place = _unpack("<IQ", data, place)
    if version != 0 or levels > _MOST_LEVELS:
        raise RecordError("it does not begin like a tensor")
    for _ in range(levels):
        (length,), place = _unpack("<Q", data, place)
        _, place = _take(data, place, length)
    (version, length), place = _unpack("<Ii", data, place)
    if version != 0 or length < 0:
        raise RecordError("it does not begin like a tensor")
    description, place = _take(data, place, length)
    code, shape = _read_description(description)
    item = np.dtype(_ITEM_TYPES[code])
    content, place = _take(data, place, math.prod(shape) * item.itemsize)
    array = np.frombuffer(content, item).reshape(shape) if content else np.empty(shape, item)
    if code == _BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array, place


def _read_description(description: bytes) -> tuple[int, tuple[int, ...]]:
    code = -1
    shape: list[int] = []
    for number, value in _fields(description):
        if number == 1 and isinstance(value, int):
            code = value
        elif number == 2:
            shape.extend([value] if isinstance(value, int) else _varints(value))
    if code not in _ITEM_TYPES:
        raise RecordError(f"a tensor in it has the unknown type {code}")
    if len(shape) > _MOST_DIMENSIONS or any(side >= 1 << 40 for side in shape):
        raise RecordError("a tensor in it has an impossible shape")
    return code, tuple(shape)


def _unpack(layout: str, data: bytes, place: int) -> tuple[tuple[int, ...], int]:
    part, behind = _take(data, place, struct.calcsize(layout))
    return struct.unpack(layout, part), behind


def _take(data: bytes, place: int, length: int) -> tuple[bytes, int]:
    if length > len(data) - place:
        raise RecordError("it ends in the middle of a tensor")
    return data[place : place + length], place + length


def _submessages(message: bytes, number: int) -> Iterator[bytes]:
    for field, value in _fields(message):
        if field == number:
            yield _as_bytes(value)


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise RecordError("a field of it is a number where a message should be")
    return value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field of a protocol buffer: its number, and its value as int or bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        match tag & 7:
            case 0:
                number, place = _varint(message, place)
                yield tag >> 3, number
                continue
            case 1:
                length = 8
            case 2:
                length, place = _varint(message, place)
            case 5:
                length = 4
            case _:
                raise RecordError("it is no protocol buffer")
        value, place = _take(message, place, length)
        yield tag >> 3, value


def _varints(data: bytes) -> Iterator[int]:
    place = 0
    while place < len(data):
        value, place = _varint(data, place)
        yield value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if place + index >= len(data):
            raise RecordError("it ends in the middle of a number")
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise RecordError("a number in it never ends")
