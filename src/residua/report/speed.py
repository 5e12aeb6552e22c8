"""How fast an engine answers on this machine: measured while the report is made, in seconds."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.engines.engine import Engine

_WARM_UP, _FEWEST, _MOST = 3, 7, 60  # runs
_BUDGET = 1.5  # seconds for the counted runs of a batch size


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds a picture at a batch size: median, and the middle 80 % of ``runs``."""

    batch: int
    median: float
    low: float
    high: float
    runs: int


def measure_speed(
    engine: Engine, crops: NDArray[np.uint8], batches: tuple[int, ...] = (1, 8)
) -> tuple[Speed, ...]:
    """Time ``engine.run`` on ``crops`` uint8 [N, H, W, C], which are repeated to fill a batch.

    Preparing pictures is not part of it. Three runs of each size come before the counted ones.
    """
    return tuple(_measure(engine, np.resize(crops, (size, *crops.shape[1:]))) for size in batches)


def _measure(engine: Engine, batch: NDArray[Any]) -> Speed:
    for _ in range(_WARM_UP):
        engine.run(batch)
    times: list[float] = []
    while len(times) < _FEWEST or (sum(times) < _BUDGET and len(times) < _MOST):
        started = time.perf_counter()
        engine.run(batch)
        times.append(time.perf_counter() - started)
    low, median, high = np.percentile(times, [10, 50, 90]) * 1000 / len(batch)
    return Speed(len(batch), float(median), float(low), float(high), len(times))
