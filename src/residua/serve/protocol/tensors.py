"""What travels in the Open Inference Protocol: named tensors with a type and a shape."""

import struct
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from residua.serve.refusals import Kind, Refusal

# Name of the protocol → type in numpy, little endian as on the wire.
DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"), "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
_LENGTH = struct.Struct("<I")
_MOST_SIDES = 8
_MOST_TEXTS = 10_000  # of BYTES: more than pictures of any request


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. ``data`` is an array of ``shape``, or of BYTES the elements in a flat list."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: np.ndarray | list[bytes]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that is asked for; ``top`` classes instead of numbers, where that is not 0."""

    name: str
    top: int = 0
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A request for inference. ``timeout`` is in seconds."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Wanted, ...] = ()
    id: str = ""
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question."""

    model: str
    version: str
    outputs: tuple[Tensor, ...]
    id: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


def count_elements(name: str, shape: tuple[int, ...], most: int) -> int:
    """Return how many elements ``shape`` has. Raises Refusal where it makes no sense."""
    if not 0 < len(shape) <= _MOST_SIDES or any(side < 0 for side in shape):
        raise Refusal(Kind.INVALID, f"{name}: the shape {list(shape[:9])} makes no sense.")
    if prod(max(side, 1) for side in shape) > most:
        raise Refusal(Kind.TOO_LARGE, f"{name}: the shape {list(shape)} is far too large.")
    return prod(shape)


def from_raw(
    name: str, datatype: str, shape: tuple[int, ...], raw: bytes | memoryview, most: int
) -> Tensor:
    """Return the tensor that ``raw`` spells. Raises Refusal where sizes do not agree."""
    count = count_elements(name, shape, most)
    if datatype == "BYTES":
        if count > _MOST_TEXTS:
            raise Refusal(Kind.TOO_LARGE, f"{name}: {count} elements are far too many.")
        elements = split_bytes(name, raw, count)
        if len(elements) != count:
            raise Refusal(
                Kind.INVALID, f"{name}: {len(elements)} elements where {list(shape)} has {count}."
            )
        return Tensor(name, datatype, shape, elements)
    kind = find_datatype(name, datatype)
    if len(raw) != count * kind.itemsize:
        raise Refusal(
            Kind.INVALID,
            f"{name}: {len(raw)} bytes where {datatype} {list(shape)} has {count * kind.itemsize}.",
        )
    return Tensor(name, datatype, shape, np.frombuffer(raw, kind).reshape(shape))


def find_datatype(name: str, datatype: str) -> "np.dtype[Any]":
    """Return numpy's type. Raises Refusal where there is none of that name."""
    if datatype not in DATATYPES:
        known = ", ".join([*DATATYPES, "BYTES"])
        raise Refusal(Kind.INVALID, f"{name}: no datatype {datatype[:32]!r}; there are {known}.")
    return DATATYPES[datatype]


def split_bytes(name: str, raw: bytes | memoryview, most: int) -> list[bytes]:
    """Return the elements of BYTES: each after its length in four bytes.

    Raises Refusal where there are more than ``most``, or lengths do not agree.
    """
    elements: list[bytes] = []
    place = 0
    while place < len(raw):
        if len(elements) == most:
            raise Refusal(Kind.INVALID, f"{name}: more than {most} elements.")
        if place + 4 > len(raw):
            raise Refusal(Kind.INVALID, f"{name}: BYTES end within a length.")
        (size,) = _LENGTH.unpack_from(raw, place)
        place += 4
        if place + size > len(raw):
            raise Refusal(Kind.INVALID, f"{name}: an element of {size} bytes reaches too far.")
        elements.append(bytes(raw[place : place + size]))
        place += size
    return elements


def to_raw(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor as they travel."""
    if isinstance(tensor.data, list):
        return b"".join(_LENGTH.pack(len(each)) + each for each in tensor.data)
    return np.ascontiguousarray(tensor.data, find_datatype(tensor.name, tensor.datatype)).tobytes()
