"""Batches from threads: pictures are decoded into preallocated arrays, ahead of the consumer.

A batch is a pure function of its positions, so the state of a loader is
one integer and the number of threads changes nothing. Memory is bounded: ``ahead + 1`` batches,
filled in turn. The decoders release the interpreter lock, so threads suffice.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import ImageError
from residua.base.machine import usable_cores

Fill = Callable[[int, NDArray[np.uint8]], None]
_Rows = deque[tuple[int, NDArray[np.uint8]]]  # what of a batch no thread has taken yet


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that cannot be used: its position in the source and why."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures uint8 [N, H, W, C] and their positions int64 [N], without those of ``failures``.

    ``images`` is overwritten once the next batch is asked for.
    """

    images: NDArray[np.uint8]
    indices: NDArray[np.int64]
    failures: tuple[Failure, ...]


def batches(
    fill: Fill,
    pieces: Sequence[NDArray[np.int64]],
    *,
    shape: tuple[int, int, int],
    threads: int | None = None,
    ahead: int = 2,
    start: int = 0,
) -> Generator[Batch]:
    """Yield the batches of ``pieces``, the positions of each, from number ``start`` on.

    ``fill(index, out)`` writes picture ``index`` into ``out`` (uint8 of ``shape``, H x W x C) and
    is called from ``threads`` threads (None: one a core). An ImageError or OSError that it raises
    makes the picture a Failure of its batch; any other exception ends the iteration.
    """
    longest = max((len(piece) for piece in pieces), default=0)
    buffers = [np.empty((longest, *shape), dtype=np.uint8) for _ in range(ahead + 1)]
    waiting: deque[tuple[_Rows, list[Future[list[Failure]]]]] = deque()
    threads = threads or usable_cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="residua-load")
    try:
        following = start
        for number in range(start, len(pieces)):
            # Whoever asks for this batch has done with the one before: its buffer is free.
            while following < min(number + ahead + 1, len(pieces)):
                buffer = buffers[following % len(buffers)]
                waiting.append(_submit(pool, threads, fill, pieces[following], buffer))
                following += 1
            failures = [failure for job in waiting[0][1] for failure in job.result()]
            waiting.popleft()
            yield _assemble(pieces[number], buffers[number % len(buffers)], failures)
    finally:
        for rows, _ in waiting:
            rows.clear()
        pool.shutdown(wait=True, cancel_futures=True)


def cut(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut ``order`` into batches; the last may be shorter."""
    return [order[at : at + batch_size] for at in range(0, len(order), batch_size)]


def _submit(
    pool: ThreadPoolExecutor,
    threads: int,
    fill: Fill,
    indices: NDArray[np.int64],
    buffer: NDArray[np.uint8],
) -> tuple[_Rows, list[Future[list[Failure]]]]:
    """Let all threads take pictures, one at a time, until the batch is filled."""
    rows = deque(zip(indices.tolist(), buffer, strict=False))
    return rows, [pool.submit(_fill_rows, fill, rows) for _ in range(min(threads, len(rows)))]


def _fill_rows(fill: Fill, rows: _Rows) -> list[Failure]:
    failures: list[Failure] = []
    while True:
        try:
            index, row = rows.popleft()
        except IndexError:
            return failures
        try:
            fill(index, row)
        except (ImageError, OSError) as error:
            failures.append(describe_failure(index, error))
        except Exception:
            rows.clear()  # nobody will want the rest of this batch
            raise


def describe_failure(index: int, error: ImageError | OSError) -> Failure:
    """Return the record of a picture that could not be read or decoded."""
    if isinstance(error, ImageError):
        return Failure(index, error.reason, str(error))
    return Failure(index, "unreadable", str(error))


def _assemble(
    indices: NDArray[np.int64], buffer: NDArray[np.uint8], failures: list[Failure]
) -> Batch:
    images = buffer[: len(indices)]
    if failures:
        kept = ~np.isin(indices, [failure.index for failure in failures])
        images, indices = images[kept], indices[kept]
    return Batch(images, indices, tuple(sorted(failures, key=lambda failure: failure.index)))
