"""A survey of a source: every picture looked at once, and what was seen kept in arrays.

It takes about 330 bytes a picture, most of them the thumbnail; no pixels are kept.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import ImageError
from residua.base.machine import usable_cores
from residua.base.progress import Progress
from residua.data.doctor.likeness import THUMB
from residua.data.doctor.look import FORMATS, Look, Trait, look_at
from residua.data.loader import Failure, describe_failure
from residua.data.source import Source

# A thread takes this many pictures at once, and so many such pieces wait for each thread.
_PIECE, _AHEAD = 8, 4


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen of each picture of ``source``, by position.

    ``readable`` bool [N]; ``failures`` says of the others why not. ``bytes`` int64 [N] are those of
    the files, and ``file_digests`` and ``pixel_digests`` uint64 [N, 2] of SHA-256. ``sizes`` int64
    [N, 2] are width and height, upright; ``formats`` number ``FORMATS``; ``traits`` hold ``Trait``;
    ``hashes`` uint64 [N] and ``thumbs`` uint8 [N, 256] are those of ``likeness``.
    """

    source: Source
    readable: NDArray[np.bool_]
    bytes: NDArray[np.int64]
    file_digests: NDArray[np.uint64]
    pixel_digests: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    formats: NDArray[np.uint8]
    orientations: NDArray[np.uint8]
    traits: NDArray[np.uint16]
    hashes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    failures: tuple[Failure, ...]

    def having(self, trait: Trait) -> NDArray[np.bool_]:
        """Tell of each picture whether it can be read and has ``trait``."""
        return (self.traits & np.uint16(trait)) > 0


def survey(source: Source, *, threads: int | None = None, show_progress: bool = False) -> Survey:
    """Read and decode every picture of ``source`` once, in ``threads`` (None: one a core).

    A picture that cannot be used is a failure of the survey, never an exception.
    """
    count = len(source)
    seen = Survey(
        source,
        readable=np.zeros(count, np.bool_),
        bytes=np.zeros(count, np.int64),
        file_digests=np.zeros((count, 2), np.uint64),
        pixel_digests=np.zeros((count, 2), np.uint64),
        sizes=np.zeros((count, 2), np.int64),
        formats=np.zeros(count, np.uint8),
        orientations=np.zeros(count, np.uint8),
        traits=np.zeros(count, np.uint16),
        hashes=np.zeros(count, np.uint64),
        thumbs=np.zeros((count, THUMB * THUMB), np.uint8),
        failures=(),
    )
    failures: list[Failure] = []
    progress = Progress(f"checking {source.title}", count) if show_progress else None
    for found in _look_ahead(seen, threads or usable_cores()):
        failures += found.failures
        if progress:
            progress.advance(found.count)
    if progress:
        progress.close()
    return replace(seen, failures=tuple(failures))


@dataclass(frozen=True, slots=True)
class _Piece:
    count: int
    failures: list[Failure]


def _look_ahead(seen: Survey, threads: int) -> Iterator[_Piece]:
    """Yield the pieces of a survey as they are done, in order; each writes its own rows."""
    waiting: deque[Future[_Piece]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="residua-check")
    try:
        for start in range(0, len(seen.source), _PIECE):
            stop = min(start + _PIECE, len(seen.source))
            waiting.append(pool.submit(_look_piece, seen, range(start, stop)))
            if len(waiting) > threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _look_piece(seen: Survey, indices: range) -> _Piece:
    failures = []
    for index in indices:
        try:
            data = seen.source.read(index)
            seen.bytes[index] = len(data)
            seen.file_digests[index] = _as_words(hashlib.sha256(data).digest()[:16])
            _note(seen, index, look_at(data, seen.source.names[index]))
        except (ImageError, OSError) as error:
            failures.append(describe_failure(index, error))
    return _Piece(len(indices), failures)


def _note(seen: Survey, index: int, look: Look) -> None:
    seen.readable[index] = True
    seen.pixel_digests[index] = _as_words(look.digest)
    seen.sizes[index] = look.size
    seen.formats[index] = FORMATS.index(look.format)
    seen.orientations[index] = look.orientation
    seen.traits[index] = look.traits
    seen.hashes[index] = look.code
    seen.thumbs[index] = look.thumb


def _as_words(digest: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(digest, np.uint64)
