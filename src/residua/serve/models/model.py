"""A model that is served: a bundle, its engine, and the batcher that feeds it."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from prometheus_client import Gauge

from residua.base.errors import ParityError
from residua.bundle.schema import Manifest
from residua.bundle.store import WEIGHTS, Bundle, is_bundle
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.engines.parity import TOLERANCES, compare
from residua.engines.probes import make_probes
from residua.engines.reference import find_reference
from residua.serve.metrics import Metrics
from residua.serve.models.batcher import Batcher
from residua.serve.settings import Settings
from residua.zoo.weights.resolve import open_bundle

_LOG = logging.getLogger("residua.serve")


@dataclass(eq=False)
class Model:
    """One version of a model, ready to answer. ``users`` counts the requests that hold it."""

    name: str
    version: str
    bundle: Bundle
    engine: Engine
    batcher: Batcher
    users: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def manifest(self) -> Manifest:
        """Classes, preprocessing and all else that the bundle says."""
        return self.bundle.manifest

    @property
    def sha256(self) -> str:
        """That of the weights."""
        return self.manifest.files[WEIGHTS].sha256

    def tell(self, metrics: Metrics) -> None:
        """Say in the metrics that it is served."""
        self._info(metrics).set(1)

    def forget(self, metrics: Metrics) -> None:
        """Say in the metrics that it is served no more."""
        if metrics.shared:  # what several processes share can only be set
            self._info(metrics).set(0)
        else:
            metrics.models.remove(*self._spell())

    def _info(self, metrics: Metrics) -> Gauge:
        return metrics.models.labels(*self._spell())

    def _spell(self) -> tuple[str, ...]:
        row = self.manifest.architecture.name
        return self.name, self.version, self.sha256, self.engine.name, row

    async def retire(self) -> None:
        """Wait until nobody uses it any more, and let its engine go."""
        while self.users:
            self.idle.clear()
            await self.idle.wait()
        await self.batcher.drain()


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle with its engine, compared and warm; and how many seconds that took."""

    bundle: Bundle
    engine: Engine
    seconds: float


def open_model(source: str, settings: Settings) -> Opened:
    """Open, verify, compare and warm up; blocks for as long as that takes.

    ``source`` is a bundle, a weight file or a name of the zoo. Raises what opening a bundle and an
    engine raise, ParityError where the engine's answers are not the network's.
    """
    begun = time.monotonic()
    bundle = open_bundle(source)
    bundle.verify()
    engine = open_engine(
        bundle, engine=settings.engine, precision=settings.precision, threads=settings.threads,
        notify=_LOG.info,
    )  # fmt: skip
    _warm_up(bundle, engine, settings.max_batch)
    if settings.precision == "fp32":  # others are compared when they are chosen
        _test(bundle, engine)
    return Opened(bundle, engine, time.monotonic() - begun)


def make_model(
    name: str, version: str, opened: Opened, settings: Settings, metrics: Metrics
) -> Model:
    """Put a batcher before the engine and the model's figures into the metrics."""
    labels = (name, version)
    waiting, computing = metrics.waiting.labels(*labels), metrics.computing.labels(*labels)
    batches = metrics.batches.labels(*labels)

    def tell(images: int, waited: float, took: float) -> None:
        batches.observe(images)
        waiting.observe(waited)
        computing.observe(took)

    batcher = Batcher(opened.engine, max_batch=settings.max_batch, told=tell)
    model = Model(name, version, opened.bundle, opened.engine, batcher)
    metrics.loading.labels(*labels).set(opened.seconds)
    return model


def signature(source: str) -> tuple[int, ...] | None:
    """Return what changes when the bundle at ``source`` does; None where that is no folder."""
    folder = Path(source).expanduser()
    if not is_bundle(folder):
        return None
    try:  # the weights too: a copy may bring them after the rest
        found = [(folder / name).stat() for name in ("bundle.json", WEIGHTS)]
    except OSError:
        return None
    return tuple(x for each in found for x in (each.st_mtime_ns, each.st_size, each.st_ino))


def _warm_up(bundle: Bundle, engine: Engine, max_batch: int) -> None:
    """Run every size of batch: a runtime prepares itself for a shape when it first meets it."""
    crops = make_probes(bundle.manifest.preprocess)
    for size in range(1, max_batch + 1):
        for _ in range(engine.lanes):
            engine.run(np.resize(crops, (size, *crops.shape[1:])))


def _test(bundle: Bundle, engine: Engine) -> None:
    """Compare with the answers that the bundle keeps, where it does."""
    reference = find_reference(bundle)
    if reference is None:
        return
    crops = make_probes(bundle.manifest.preprocess)
    answers = np.concatenate([engine.run(crop[None]) for crop in crops])
    _, excesses = compare(reference, answers, TOLERANCES["fp32"])
    if excesses:
        raise ParityError(
            f"{engine.name} does not answer as the network of {bundle.path}.", excesses
        )
