"""Paddle's binary tensors: the records of ``.pdiparams`` and of the 1.x archives.

Source: Paddle's ``framework/lod_tensor.cc`` and ``tensor_util.cc`` (the record: version, levels of
detail, version, description, bytes).
"""

import math
import struct
from collections.abc import Sequence

import numpy as np

from residua.zoo.weights.program.protobuf import RecordError, as_integers, fields

# VarType.Type of framework.proto → numpy; 22 is bfloat16, kept as its 16 bits.
_ITEM_TYPES = {
    0: "b1", 1: "<i2", 2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8", 20: "u1", 21: "i1",
    22: "<u2",
}  # fmt: skip
_BFLOAT16 = 22
_MOST_DIMENSIONS = 8
_MOST_LEVELS = 8


def read_records(data: bytes, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read one record a name, one behind the other, to the very end of ``data``.

    The arrays are views of ``data``. Raises RecordError where there are fewer records, or bytes
    left over.
    """
    tensors: dict[str, np.ndarray] = {}
    view, place = memoryview(data), 0
    for name in names:
        tensors[name], place = _read_record(view, place)
    if place != len(data):
        raise RecordError(f"{len(data) - place} bytes are left over after {len(names)} tensors")
    return tensors


def _read_record(data: memoryview, place: int) -> tuple[np.ndarray, int]:
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
    code, shape = _read_description(bytes(description))
    item = np.dtype(_ITEM_TYPES[code])
    content, place = _take(data, place, math.prod(shape) * item.itemsize)
    array = np.frombuffer(content, item).reshape(shape) if content else np.empty(shape, item)
    if code == _BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array, place


def _read_description(description: bytes) -> tuple[int, tuple[int, ...]]:
    code = -1
    shape: list[int] = []
    for number, value in fields(description):
        if number == 1 and isinstance(value, int):
            code = value
        elif number == 2:
            shape.extend(as_integers(value))
    if code not in _ITEM_TYPES:
        raise RecordError(f"a tensor in it has the unknown type {code}")
    if len(shape) > _MOST_DIMENSIONS or any(not 0 <= side < 1 << 40 for side in shape):
        raise RecordError("a tensor in it has an impossible shape")
    return code, tuple(shape)


def _unpack(layout: str, data: memoryview, place: int) -> tuple[tuple[int, ...], int]:
    part, behind = _take(data, place, struct.calcsize(layout))
    return struct.unpack(layout, part), behind


def _take(data: memoryview, place: int, length: int) -> tuple[memoryview, int]:
    if length > len(data) - place:
        raise RecordError("it ends in the middle of a tensor")
    return data[place : place + length], place + length
