"""What a pickle of arrays may name, and what each name stands for: data, never a function's result.

Sources: numpy's ``ndarray.__reduce__`` and ``dtype.__reduce__`` (state tuples), Python's
``pickletools`` (how protocol 2 writes bytes), ``paddle.save`` (protocols 2 to 4).
"""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

_MOST_DIMENSIONS = 8

_ITEM_SIZES: Final = {
    "b1": 1, "i1": 1, "u1": 1, "f2": 2, "i2": 2, "u2": 2,
    "f4": 4, "i4": 4, "u4": 4, "f8": 8, "i8": 8, "u8": 8,
}  # fmt: skip


class Name(NamedTuple):
    """What a pickle names: a token, never resolved."""

    module: str
    name: str


class Dtype:
    """The type of an array's items as a pickle states it."""

    def __init__(self, code: str) -> None:
        """``code`` is numpy's, such as "f4"; the byte order comes with the state."""
        self.code = code
        self.order = "<"


class AnnouncedArray:
    """An array that has been announced; BUILD brings its content."""

    def __init__(self) -> None:
        """Begin without any place in the memo."""
        self.memo_keys: list[int] = []


class UnsafePickleError(Exception):
    """The pickle wants more than data."""


class DamagedPickleError(Exception):
    """The pickle is data, but makes no sense."""


def checked_key(key: Any) -> str:
    """Return ``key`` if it is text, as every name of a tensor is."""
    if type(key) is not str:
        raise UnsafePickleError(f"has a key of type {type(key).__name__} where names are text")
    return key


def _announce_array(subtype: Any, _shape: Any, _dtype: Any) -> AnnouncedArray:
    if type(subtype) is not Name or subtype != NDARRAY:
        raise UnsafePickleError("holds a special kind of array")
    return AnnouncedArray()


def _make_dtype(code: Any, *_rest: Any) -> Dtype:
    if type(code) is str and code.startswith("O"):
        raise UnsafePickleError("holds an array of objects")
    if type(code) is not str or code not in _ITEM_SIZES:
        raise UnsafePickleError(f"holds an array of type {str(code)[:20]}")
    return Dtype(code)


def set_order(dtype: Dtype, state: tuple[Any, ...]) -> None:
    """Take the byte order from a state.

    State: version, byte order, subtype, names, fields, item size, alignment, flags.
    """
    if len(state) < 5 or state[2:5] != (None, None, None):
        raise UnsafePickleError("holds an array of records")
    if state[1] not in {"<", ">", "|", "="}:
        raise DamagedPickleError("an array in it has no byte order")
    dtype.order = state[1]


def array_of_state(state: tuple[Any, ...]) -> np.ndarray:
    """Return the array of a state: version, shape, type, whether in Fortran's order, bytes."""
    if len(state) != 5:
        raise DamagedPickleError("an array in it has an unknown layout")
    _, shape, dtype, fortran, data = state
    return _array(data, dtype, shape, order="F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if type(data) is str:  # how Python 2 pickled bytes
        data = data.encode("latin1")
    if type(dtype) is not Dtype or type(data) not in {bytes, bytearray}:
        raise UnsafePickleError("holds an array of objects")
    if type(shape) is not tuple or any(type(side) is not int or side < 0 for side in shape):
        raise DamagedPickleError("an array in it has no shape")
    if len(shape) > _MOST_DIMENSIONS or order not in {"C", "F"}:
        raise DamagedPickleError("an array in it has an impossible shape")
    wanted = math.prod(shape) * _ITEM_SIZES[dtype.code]
    if wanted != len(data):
        raise DamagedPickleError(f"an array of shape {shape} has {len(data)} bytes, not {wanted}")
    kind = np.dtype(dtype.order + dtype.code)
    flat = np.frombuffer(data, kind) if data else np.empty(0, kind)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _encode(text: Any, encoding: Any) -> bytes:
    """Return the bytes that protocol 2 writes as text."""
    if type(text) is not str or encoding not in {"latin1", "latin-1"}:
        raise UnsafePickleError("encodes text in an unusual way")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    """Return no bytes: how protocol 2 writes the content of an empty array."""
    return b""


def _make_tuple(items: Any = ()) -> tuple[Any, ...]:
    """Return the (name, array) pair as which ``paddle.save`` writes a tensor inside containers."""
    if type(items) not in {tuple, list}:
        raise UnsafePickleError("makes a tuple of something that is none")
    return tuple(items)


def _make_scalar(dtype: Any, _data: Any = None) -> None:
    """Return nothing: a number beside the arrays (an accuracy, an epoch) is of no use here."""
    if type(dtype) is not Dtype:
        raise UnsafePickleError("holds a number of an unknown type")


def _make_dict(pairs: Any = ()) -> dict[str, Any]:
    if type(pairs) not in {tuple, list} or any(
        type(pair) not in {tuple, list} or len(pair) != 2 for pair in pairs
    ):
        raise DamagedPickleError("a dictionary in it is made of no pairs")
    return {checked_key(key): value for key, value in pairs}


NDARRAY = Name("numpy", "ndarray")

# What a name stands for. Numpy 2 moved numpy.core to numpy._core; protocol 5 uses _frombuffer.
MAKERS: Final[dict[Name, Callable[..., Any]]] = {
    Name("numpy", "dtype"): _make_dtype,
    Name("_codecs", "encode"): _encode,
    Name("__builtin__", "bytes"): _empty_bytes,
    Name("__builtin__", "tuple"): _make_tuple,
    Name("builtins", "tuple"): _make_tuple,
    Name("collections", "OrderedDict"): _make_dict,
}
for _core in ("numpy.core", "numpy._core"):
    MAKERS[Name(f"{_core}.multiarray", "_reconstruct")] = _announce_array
    MAKERS[Name(f"{_core}.multiarray", "scalar")] = _make_scalar
    MAKERS[Name(f"{_core}.numeric", "_frombuffer")] = _array
