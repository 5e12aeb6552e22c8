"""What a process with one configuration does: open the engine, examine it, run it."""

import os
import threading
import time
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from residua.base.errors import EngineError
from residua.bundle.store import read_bundle
from residua.engines.engine import Demand, Engine
from residua.engines.open import make_demand, open_runtime
from residua.engines.parity import compare
from residua.engines.probes import make_probes
from residua.engines.trial import expect


@dataclass(slots=True)
class Work:
    """An opened engine and the batches it is run on. ``orders`` of the parent are its methods."""

    engine: Engine | None = None
    batches: dict[int, np.ndarray] = field(default_factory=dict)

    def open(
        self,
        *,
        bundle: str,
        engine: str,
        precision: str,
        device: str,
        threads: int,
        hint: Any,
        sizes: list[int],
        reference: str,
    ) -> dict[str, Any]:
        """Open the engine, then compare its answers to the probes with those in ``reference``.

        ``reference`` is a .npy file of float32 [probes, classes], or empty where there is none. The
        seconds go from here to the first answer; every size of a batch is run at least once.
        """
        pin(threads)
        opened = read_bundle(Path(bundle))
        crops = make_probes(opened.manifest.preprocess)
        self.batches = {size: fill_batch(crops, size) for size in sizes}
        started = time.perf_counter()
        demand = make_demand(opened, engine, precision, device, threads, hint)
        self.engine = open_runtime(engine, demand)
        self.engine.run(self.batches[min(sizes)])
        seconds = time.perf_counter() - started
        record: dict[str, Any] = {"load_seconds": seconds, "lanes": self.engine.lanes}
        if reference:
            answers = np.load(reference, allow_pickle=False)
            record |= examine(self.engine, demand, crops, answers, sizes)
        return record

    def run(self, *, batch: int, seconds: float) -> dict[str, Any]:
        """Time runs of ``batch`` for ``seconds``, at least one, after one that is not counted."""
        engine, crops = self._ready(batch)
        engine.run(crops)
        times: list[float] = []
        started = time.perf_counter()
        while not times or time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            engine.run(crops)
            times.append((time.perf_counter() - begun) * 1000)
        return {"milliseconds": times}

    def flow(self, *, batch: int, seconds: float) -> dict[str, Any]:
        """Keep ``lanes`` runs of ``batch`` under way for ``seconds``; return images a second.

        It is the time of two runs at least.
        """
        engine, crops = self._ready(batch)
        begun = time.perf_counter()
        engine.run(crops)
        seconds = max(seconds, 2 * (time.perf_counter() - begun))
        return {"images_per_second": measure_flow(engine, crops, seconds)}

    def peak(self, *, precision: str, device: str, threads: int, seconds: float) -> dict[str, Any]:
        """Return the FLOP/s of a matrix product."""
        pin(threads)
        import torch

        from residua.bench.peak import measure_peak

        torch.set_num_threads(threads)
        return {"flops": measure_peak(precision, device, seconds)}

    def _ready(self, batch: int) -> tuple[Engine, np.ndarray]:
        if self.engine is None:
            raise EngineError("No engine is open.")
        return self.engine, self.batches[batch]


def pin(threads: int) -> None:
    """Keep this process to as many cores as it shall have threads, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def fill_batch(crops: np.ndarray, size: int, start: int = 0) -> np.ndarray:
    """Return ``size`` of ``crops`` [N, …] from ``start`` on, round and round."""
    return np.ascontiguousarray(crops[(np.arange(size) + start) % len(crops)])


def examine(
    engine: Engine,
    demand: Demand,
    crops: np.ndarray,
    reference: np.ndarray,
    sizes: list[int],
) -> dict[str, Any]:
    """Compare the answers to all ``crops``, run in batches of ``sizes``, with the expected ones.

    What is wrong only in a batch of one size is seen too.
    """
    expected, tolerance = expect(demand, reference)
    answers: list[np.ndarray] = []
    places: list[int] = []
    for number, size in enumerate(cycle(sorted(sizes))):
        if number >= len(sizes) and len(places) >= len(crops):
            break
        start = len(places)
        answers.append(engine.run(fill_batch(crops, size, start)))
        places += [(start + step) % len(crops) for step in range(size)]
    parity, excesses = compare(expected[places], np.concatenate(answers), tolerance)
    return {"parity": parity.model_dump(mode="json"), "problem": "; ".join(excesses)}


def measure_flow(engine: Engine, crops: np.ndarray, seconds: float) -> float:
    """Return images a second over ``seconds`` with a thread for each lane of the engine.

    Of a run that is under way at the end the part counts that lies before it.
    """
    counts = [0.0] * engine.lanes
    problems: list[Exception] = []
    end = 0.0

    def start() -> None:
        nonlocal end
        end = time.perf_counter() + seconds

    together = threading.Barrier(engine.lanes, action=start)

    def keep_running(lane: int) -> None:
        together.wait()
        try:
            while (begun := time.perf_counter()) < end:
                engine.run(crops)
                finished = time.perf_counter()
                inside = min(finished, end) - begun
                counts[lane] += inside / (finished - begun)
        except Exception as error:  # noqa: BLE001  # raised below, in the thread that asks
            problems.append(error)

    threads = [threading.Thread(target=keep_running, args=(n,)) for n in range(engine.lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return sum(counts) * len(crops) / seconds
