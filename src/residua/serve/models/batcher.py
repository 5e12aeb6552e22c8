"""Pictures that wait together are computed together; a lone one never waits.

Whenever the engine has a lane free, what waits goes in, as many as a batch holds: under load the
batches grow by themselves, and there is no delay to be chosen. A picture is one row from here on,
whatever request it came with, so that large requests are split, and no row can be another's. Those
whose deadline has passed, or whose client has left, are dropped before they are computed. Where a
batch fails, its pictures are computed one by one, and only the bad one fails.
"""

import asyncio
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.engines.engine import Engine
from residua.serve.refusals import Kind, Refusal

_LOG = logging.getLogger("residua.serve")
Told = Callable[[int, float, float], None]


@dataclass(slots=True, order=True)
class _Waiting:
    """A picture that waits: ordered by deadline, then by arrival."""

    deadline: float
    number: int
    crop: np.ndarray | None
    since: float
    answer: "asyncio.Future[np.ndarray]"


class Batcher:
    """Feeds one engine. Belongs to one event loop; the engine runs in threads, one a lane."""

    def __init__(self, engine: Engine, *, max_batch: int, told: Told = lambda *_: None) -> None:
        """``told`` hears of each batch: its pictures, how long they waited, how long it took."""
        self.max_batch = max_batch
        self._run = engine.run
        self._told = told
        self._lanes = ThreadPoolExecutor(engine.lanes, "engine")
        self._free = engine.lanes
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def waiting(self) -> int:
        """How many pictures wait to be computed."""
        return sum(not each.answer.done() for each in self._waiting)

    def put(self, crop: np.ndarray, deadline: float) -> "asyncio.Future[np.ndarray]":
        """Return the coming probabilities [classes] of ``crop``, uint8 [H, W, C].

        ``deadline`` is in the time of the event loop. The future raises Refusal where the deadline
        passes first or the engine fails; cancelling it takes the picture out.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[np.ndarray] = loop.create_future()
        picture = _Waiting(deadline, next(self._numbers), crop, loop.time(), answer)
        heapq.heappush(self._waiting, picture)
        self._start()
        return answer

    async def answer_alone(
        self, make_crop: Callable[[], np.ndarray | None]
    ) -> np.ndarray | Refusal | None:
        """Return the probabilities of what ``make_crop`` gives, both in one thread.

        None where the engine is busy, or ``make_crop`` gives None since it would take too long.
        Nothing else is computed in that lane meanwhile, so this is for a picture that is alone and
        quickly made. The Refusal that ``make_crop`` raises, or of the engine, is returned: raised
        here, it would hold this model in a cycle with its future long after it is replaced.
        """
        if not self._free or self._waiting:
            return None
        self._free -= 1
        loop = asyncio.get_running_loop()
        left = threading.Event()
        task = loop.run_in_executor(self._lanes, self._make_and_compute, make_crop, left)
        self._running.add(task)
        task.add_done_callback(self._free_lane)  # also where nobody waits for it any more
        try:
            row, took = await asyncio.shield(task)
        except asyncio.CancelledError:
            left.set()
            raise
        if isinstance(row, np.ndarray):
            self._told(1, 0.0, took)
        return row

    def _free_lane(self, task: "asyncio.Future[tuple[np.ndarray | Refusal | None, float]]") -> None:
        self._running.discard(task)
        self._free += 1
        self._start()
        if not task.cancelled():
            task.exception()  # has been seen, whether or not somebody still waits

    def _make_and_compute(
        self, make_crop: Callable[[], np.ndarray | None], left: threading.Event
    ) -> tuple[np.ndarray | Refusal | None, float]:
        try:
            crop = make_crop()
        except Refusal as refusal:
            refusal.__cause__ = refusal.__context__ = None  # all of them hold frames, which hold us
            return refusal.with_traceback(None), 0.0
        if crop is None or left.is_set():
            return None, 0.0
        begun = time.perf_counter()
        row = self._try(crop)
        return _failed() if row is None else row, time.perf_counter() - begun

    async def drain(self) -> None:
        """Wait until nothing is left, then end the threads."""
        while self._running:
            await asyncio.wait(self._running)
        self._lanes.shutdown(wait=False)

    def _start(self) -> None:
        """Give every free lane a batch of what waits."""
        while self._free and (batch := self._take()):
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._compute(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[_Waiting]:
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self.max_batch:
            picture = heapq.heappop(self._waiting)
            if picture.answer.done():
                continue
            if picture.deadline <= now:
                picture.answer.set_exception(Refusal(Kind.LATE, "The deadline has passed."))
                continue
            batch.append(picture)
        return batch

    async def _compute(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            rows = await self._ask(batch)
        finally:
            self._free += 1
            self._start()
        self._told(len(batch), begun - batch[0].since, loop.time() - begun)
        for picture, row in zip(batch, rows, strict=True):
            if picture.answer.done():
                continue
            if isinstance(row, Refusal):
                picture.answer.set_exception(row)
            else:
                picture.answer.set_result(row)

    async def _ask(self, batch: list[_Waiting]) -> list[np.ndarray | Refusal]:
        """Return the rows of a batch; where it fails, those of its pictures one by one."""
        crops = [picture.crop for picture in batch if picture.crop is not None]
        for picture in batch:
            picture.crop = None  # the memory of those that are dropped
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._lanes, self._compute_rows, crops)
        except Exception:  # noqa: BLE001  # whatever a runtime raises
            _LOG.exception("A batch of %d pictures failed in the engine.", len(crops))
            if len(crops) > 1:  # which of them was it?
                alone = [await loop.run_in_executor(self._lanes, self._try, one) for one in crops]
                return [row if row is not None else _failed() for row in alone]
            return [_failed()]
        return list(answers)

    def _compute_rows(self, crops: list[np.ndarray]) -> np.ndarray:
        answers = self._run(np.stack(crops))
        if len(answers) != len(crops) or not np.isfinite(answers).all():
            raise ValueError(f"{answers.shape} answers to {len(crops)} pictures, or not finite")
        return answers

    def _try(self, crop: np.ndarray) -> np.ndarray | None:
        try:
            row: np.ndarray = self._compute_rows([crop])[0]
        except Exception:  # noqa: BLE001  # whatever a runtime raises
            _LOG.exception("A picture failed in the engine.")
            return None
        return row


def _failed() -> Refusal:
    return Refusal(Kind.INTERNAL, "The network failed on this picture.")
