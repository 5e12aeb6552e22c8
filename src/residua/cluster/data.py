"""How jobs of Ray Data are run here: what each kind of worker asks for, and their settings."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from residua.cluster.connect import Cluster

_AHEAD_CORE, _AHEAD_GPU, _AHEAD_LEAST = 128 << 20, 2 << 30, 512 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Shares:
    """The fewest and most ``engines``; what of a processor each kind of worker asks for."""

    engines: tuple[int, int]
    engine: float
    decoder: float
    light: float
    gpu: int


def share_out(cluster: Cluster, engines: tuple[int, int] | None, threads: int) -> Shares:
    """Return how the cores are shared; on few all kinds of workers must find room at once."""
    gpu = 1 if cluster.gpus else 0
    few = cluster.cores <= 2 * threads + 1
    room = cluster.cores if few else cluster.cores - 1  # a core is left to whoever decodes
    bounds = engines or (1, cluster.gpus or max(1, room // threads))
    if few:
        return Shares(bounds, 0.25, 0.25, 0.1, gpu)
    return Shares(bounds, 0.5 if gpu else threads, 1, 0.25, gpu)


@contextmanager
def configured(cluster: Cluster, **settings: Any) -> Iterator[None]:
    """Give Ray Data these settings for the length of the block, and keep its many lines to it.

    What is read and decoded ahead is bounded by the size of ``cluster``, not by its memory.
    """
    import ray.data

    context = ray.data.DataContext.get_current()
    ahead = max(_AHEAD_LEAST, _AHEAD_CORE * cluster.cores + _AHEAD_GPU * cluster.gpus)
    limits = ray.data.ExecutionResources.for_limits(object_store_memory=ahead)
    settings |= {
        "enable_progress_bars": False, "print_on_execution_start": False,
        "execution_options": ray.data.ExecutionOptions(resource_limits=limits),
    }  # fmt: skip
    before = {name: getattr(context, name) for name in settings}
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    for name, value in settings.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)
