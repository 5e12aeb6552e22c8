"""Pictures in chunks, as they come: a folder, shards or a list of any length in bounded memory.

The order is fixed, so that a chunk is the same in every run and its scores need be found only once.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from residua.base.errors import DataError
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.open import LISTS, kind_of
from residua.data.sources.place import expand, is_hidden, missing
from residua.data.sources.shards import SHARDS, index_shards

SIZE = 4096  # pictures


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pictures: their names, and what reads them by position (OSError where it cannot)."""

    names: tuple[str, ...]
    read: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where unlabelled pictures are; ``root`` is what names are relative to, None of shards."""

    place: str
    root: Path | None

    def chunks(self, size: int = SIZE) -> Iterator[Chunk]:
        """Yield all pictures."""
        if self.root is None:
            for file in expand(self.place, SHARDS):
                yield from _cut(*index_shards(str(file)), size)
            return
        path = Path(self.place)
        names = _walk(path) if path.is_dir() else _read_lines(path)
        while part := tuple(islice(names, size)):
            yield Chunk(part, _Reader(self.root, part))


def find_place(place: str | Path) -> Place:
    """Return the pictures at ``place``. Raises DataError where it is of no kind that is read."""
    path = Path(place)
    if path.suffix.lower() in LISTS:
        if not path.is_file():
            raise missing(path)
        return Place(str(place), path.parent)
    if kind_of(place) == "shards":
        return Place(str(place), None)
    if path.is_dir():
        return Place(str(place), path)
    if not path.exists():
        raise missing(path)
    raise DataError(
        f"{place} is of no kind that pictures are chosen from.",
        next_step="Give a folder of pictures, tar shards, or a list with a path a line.",
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    root: Path
    names: tuple[str, ...]

    def __call__(self, index: int) -> bytes:
        return (self.root / self.names[index]).read_bytes()


@dataclass(frozen=True, slots=True)
class _Part:
    """Reads a part of what another reads."""

    read: Callable[[int], bytes]
    first: int

    def __call__(self, index: int) -> bytes:
        return self.read(self.first + index)


def _cut(names: tuple[str, ...], read: Callable[[int], bytes], size: int) -> Iterator[Chunk]:
    for first in range(0, len(names), size):
        yield Chunk(names[first : first + size], _Part(read, first))


def _walk(root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            if not is_hidden(name) and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place, name).relative_to(root).as_posix()


def _read_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as lines:
        for line in lines:
            if name := line.partition("\t")[0].strip():
                yield name
