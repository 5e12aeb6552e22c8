"""Pictures in chunks, as they come: any number of them in bounded memory.

The order is fixed, so that a chunk is the same in every run and its scores need be found only once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from residua.data.source import Files
from residua.data.sources.place import expand
from residua.data.sources.shards import SHARDS, index_shards
from residua.data.sources.unlabelled import Unlabelled

SIZE = 4096  # pictures


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pictures: their names, and what reads them by position (OSError where it cannot)."""

    names: tuple[str, ...]
    read: Callable[[int], bytes]


def cut_into_chunks(place: Unlabelled, size: int = SIZE) -> Iterator[Chunk]:
    """Yield all pictures of ``place``."""
    if place.root is None:
        for file in expand(place.place, SHARDS):
            yield from _cut(*index_shards(str(file)), size)
        return
    names = place.names()
    while part := tuple(islice(names, size)):
        yield Chunk(part, Files(place.root, part))


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
