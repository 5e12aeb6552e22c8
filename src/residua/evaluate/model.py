"""A bundle over a source: its engine and its preprocessing, by any number of processes."""

import os

import numpy as np
from numpy.typing import NDArray

from residua.base.machine import usable_cores
from residua.bundle.schema import Calibration, Manifest, Metrics
from residua.bundle.store import Bundle
from residua.data.cache import PixelCache
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.evaluate.ranks import SINGLE, Ranks
from residua.evaluate.run import Evaluation, Network, evaluate


def open_network(
    bundle: Bundle,
    *,
    device: str = "auto",
    ranks: Ranks = SINGLE,
    engine: str = "auto",
    precision: str = "fp32",
) -> Engine:
    """Return the bundle's engine; processes on one machine share its cores."""
    return open_engine(
        bundle, engine=engine, precision=precision, device=device, threads=share_of_cores(ranks)
    )


def evaluate_bundle(
    bundle: Bundle,
    source: Source,
    engine: Engine,
    *,
    batch_size: int = 64,
    ranks: Ranks = SINGLE,
    show_progress: bool = False,
    keep_probabilities: bool = False,
    order: tuple[int, ...] | None = None,
) -> Evaluation:
    """Evaluate ``bundle``, opened as ``engine``, on ``source``; see ``evaluate.run``.

    ``order`` names the bundle's class for each class of the source, where they differ.
    """
    return evaluate(
        engine.run if order is None else _reorder(engine.run, order),
        EvaluationView(source, bundle.manifest.preprocess, cache=PixelCache(0)),
        batch_size=batch_size,
        threads=share_of_cores(ranks),
        show_progress=show_progress,
        ranks=ranks,
        keep_probabilities=keep_probabilities,
        multi_label=bundle.manifest.task == "multi-label",
    )


def without_calibration(bundle: Bundle) -> Bundle:
    """Return the bundle as it answers at temperature 1."""
    manifest = bundle.manifest.model_copy(update={"calibration": Calibration()})
    return Bundle(bundle.path, manifest)


def add_metrics(manifest: Manifest, metrics: Metrics) -> tuple[Metrics, ...]:
    """Return the metrics of ``manifest`` with ``metrics`` instead of older ones of the same."""

    def key(record: Metrics) -> tuple[str, str | None, int | None]:
        return record.source, record.data_sha256, record.image_size

    return (*(old for old in manifest.metrics if key(old) != key(metrics)), metrics)


def share_of_cores(ranks: Ranks) -> int | None:
    """Return the threads of each of several processes on this machine; None for one alone."""
    if ranks.world == 1:
        return None
    here = int(os.environ.get("LOCAL_WORLD_SIZE", ranks.world))
    return max(1, usable_cores() // here)


def _reorder(network: Network, order: tuple[int, ...]) -> Network:
    columns = list(order)

    def run(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ascontiguousarray(network(batch)[:, columns])

    return run
