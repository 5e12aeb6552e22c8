"""Decoding ahead, computing, results in order, in bounded memory.

Threads decode (the decoders release the GIL) while the engine computes; a window bounds how far
they run ahead, so that memory does not grow with the number of pictures.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from residua.base.errors import ImageError
from residua.base.machine import usable_cores
from residua.engines.engine import Engine

Item = TypeVar("Item")
Outcome = np.ndarray | ImageError  # a crop or probabilities, or why there are none


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Item]):
    """One batch under way: its items in order, bad ones among them, and the coming answer."""

    items: list[tuple[Item, Outcome]]
    answer: Future[np.ndarray] | None

    def outcomes(self) -> Iterator[tuple[Item, Outcome]]:
        rows = iter(self.answer.result() if self.answer else ())
        for item, crop in self.items:
            yield item, crop if isinstance(crop, ImageError) else next(rows)


def run_ahead(
    items: Iterable[Item],
    prepare: Callable[[Item], np.ndarray],
    engine: Engine,
    *,
    batch_size: int,
) -> Iterator[tuple[Item, Outcome]]:
    """Yield every item with its probabilities [classes], or with the ImageError that it met.

    ``prepare`` runs in threads and gives a crop or raises ImageError. Items are read about
    ``batch_size * (lanes + 2)`` ahead of what is yielded.
    """
    decoders = ThreadPoolExecutor(usable_cores(), "decode")
    computers = ThreadPoolExecutor(engine.lanes, "compute")
    computing: deque[_Batch[Item]] = deque()
    try:
        crops = _decode_ahead(items, prepare, decoders, window=batch_size * (engine.lanes + 1))
        for batch in _group(crops, batch_size):
            good = [crop for _, crop in batch if not isinstance(crop, ImageError)]
            answer = computers.submit(engine.run, np.stack(good)) if good else None
            computing.append(_Batch(batch, answer))
            if len(computing) > engine.lanes:
                yield from computing.popleft().outcomes()
        while computing:
            yield from computing.popleft().outcomes()
    finally:
        decoders.shutdown(wait=False, cancel_futures=True)
        computers.shutdown(wait=False, cancel_futures=True)


def _decode_ahead(
    items: Iterable[Item],
    prepare: Callable[[Item], np.ndarray],
    decoders: ThreadPoolExecutor,
    *,
    window: int,
) -> Iterator[tuple[Item, Outcome]]:
    def attempt(item: Item) -> Outcome:
        try:
            return prepare(item)
        except ImageError as error:
            return error

    waiting: deque[tuple[Item, Future[Outcome]]] = deque()
    for item in items:
        waiting.append((item, decoders.submit(attempt, item)))
        if len(waiting) >= window:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def _group(
    outcomes: Iterable[tuple[Item, Outcome]], size: int
) -> Iterator[list[tuple[Item, Outcome]]]:
    """Group into batches of ``size`` good crops; bad items ride along where they stand."""
    batch: list[tuple[Item, Outcome]] = []
    good = 0
    for item, outcome in outcomes:
        batch.append((item, outcome))
        good += not isinstance(outcome, ImageError)
        if good == size or len(batch) >= 4 * size:
            yield batch
            batch, good = [], 0
    if batch:
        yield batch
