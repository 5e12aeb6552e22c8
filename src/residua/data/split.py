"""Splitting one source in two: stratified, with a seed that is stored in the bundle."""

import hashlib
import unicodedata

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, SettingError
from residua.data.source import Source


def split(source: Source, *, fraction: float, seed: int) -> tuple[Source, Source]:
    """Return (training, validation): of each class, about ``fraction`` is held out.

    Who is held out follows from the hash of seed, class and name, so neither the order of the
    files nor pictures of other classes matter, and a picture added later moves at most one other.
    A class of one picture has none for validation; each other class has at least one on each side.
    """
    if not 0 < fraction < 1:
        raise SettingError(
            f"A validation part of {fraction} was asked for.",
            next_step="Give a fraction between 0 and 1, for example 0.2.",
        )
    held_out = np.zeros(len(source), dtype=bool)
    for label in range(len(source.classes)):
        positions = np.flatnonzero(source.labels == label)
        count = min(max(1, round(len(positions) * fraction)), len(positions) - 1)
        ranked = sorted(positions, key=lambda position: _rank(source, int(position), seed))
        held_out[ranked[: max(0, count)]] = True
    if not held_out.any():
        raise DataError(
            f"{source.title} is too small to hold out a validation part: "
            f"no class has two pictures ({len(source)} pictures in all).",
            next_step="Add pictures, or give folders train/ and val/ yourself.",
        )
    return (
        source.take(_positions(~held_out), f"{source.title} (training part)"),
        source.take(_positions(held_out), f"{source.title} (validation part)"),
    )


def _positions(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64)


def _rank(source: Source, position: int, seed: int) -> tuple[bytes, str]:
    name = unicodedata.normalize("NFC", source.names[position])
    label = source.classes.names[int(source.labels[position])]
    return hashlib.sha256(f"{seed}\0{label}\0{name}".encode()).digest(), name
