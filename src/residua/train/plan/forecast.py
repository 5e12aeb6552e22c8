"""What a run will take of time and memory, measured on a copy before it starts."""

import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from residua.base.clock import spell_seconds
from residua.base.words import count_of
from residua.data.loader import batches, cut
from residua.data.view import TrainingView
from residua.train.plan.trial import measure_activations, try_forward, try_step
from residua.train.recipe.tree import Recipe
from residua.train.update.learner import Learner
from residua.train.update.shares import Shares

# Pixels of the trial step, as of 16 pictures of 224: with fewer the cost of a step by itself shows.
_PIXELS = 16 * 224 * 224
_LONG = 3600.0  # seconds, of a run that was perhaps not meant to be so long
_SHORTER = "  Shorter: --budget 30min plans the epochs that fit, --image-size 128 takes less time."
_ENOUGH = 0.4  # seconds of reading after which its speed is known
# float32 copies of the weights: themselves and their gradients, and what the optimiser keeps.
_COPIES = {"sgd": 3, "adamw": 4, "lamb": 4, "lion": 3, "muon": 4}


@dataclass(frozen=True, slots=True)
class Forecast:
    """``computing`` and ``loading`` are pictures a second of this process; memory in bytes."""

    epochs: int
    steps: int
    computing: float
    loading: float
    seconds_per_epoch: float
    memory: int

    @property
    def seconds(self) -> float:
        """The time of all epochs."""
        return self.epochs * self.seconds_per_epoch

    def shorten(self, epochs: int) -> "Forecast":
        """Return the forecast of a run of ``epochs``."""
        return replace(self, epochs=epochs)

    def spell(self) -> str:
        """Return the forecast in a sentence."""
        length = f"{count_of(self.epochs, 'epoch')} of {count_of(self.steps, 'update')}"
        return (
            f"Forecast: {length} in about {spell_seconds(self.seconds)} (the network takes "
            f"{self.computing:.0f} pictures a second, {self.loading:.0f} can be read), and about "
            f"{self.memory / 1e9:.1f} GB of memory."
            + (f"\n{_SHORTER}" if self.seconds > _LONG else "")
        )


def forecast(
    learner: Learner,
    view: TrainingView,
    recipe: Recipe,
    shares: Shares,
    *,
    validation: int,
) -> Forecast:
    """Measure a step and the reading of some pictures; ``validation`` pictures follow an epoch."""
    network, precision, size = learner.network, learner.precision, view.shape[0]
    rows = min(max(2, _PIXELS // size**2), shares.micro_batches[0].stop)
    trial = try_step(learner, size, max(2, rows))
    computing = max(2, rows) / trial.seconds
    loading = _measure_loading(view)
    # A processor does both by turns, a GPU computes while the processor reads.
    rate = (
        min(computing, loading)
        if precision.device.type == "cuda"
        else 1 / (1 / computing + 1 / loading)
    )
    world = shares.ranks.world
    trained = shares.steps * shares.batch / (rate * world)
    tested = try_forward(
        network, precision, recipe.evaluate.image_size or size, min(16, max(1, validation))
    )
    validated = validation * tested.seconds / tested.rows / world / recipe.evaluate.every
    each = measure_activations(learner, size)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    copies = _COPIES[recipe.optimiser.name] + (recipe.average.kind != "none")
    copies += recipe.precision.quantise  # rounded
    micro = max(piece.stop - piece.start for piece in shares.micro_batches)
    buffers = 3 * (shares.rows.stop - shares.rows.start) * size * size * network.row.input_channels
    return Forecast(
        epochs=recipe.loop.epochs,
        steps=shares.steps,
        computing=computing * world,
        loading=loading * world,
        seconds_per_epoch=trained + validated,
        memory=4 * parameters * copies + each * micro + buffers,
    )


def _measure_loading(view: TrainingView) -> float:
    """Return the pictures a second that threads read and crop, of the first epoch.

    The first few open files and start threads. Then it is read twice as many each time, none of
    them again, until that takes long enough to be measured; the fastest round counts.
    """
    places = np.random.default_rng(0).permutation(len(view.source)) * view.repeats
    best, start, count = 0.0, 0, min(16, len(places))
    while start < len(places):
        part = places[start : start + count]
        seconds = _read(view, part)
        if start or count == len(places):
            best = max(best, len(part) / max(seconds, 1e-9))
        if start and seconds > _ENOUGH:
            break
        start, count = start + len(part), 2 * count
    return best


def _read(view: TrainingView, tickets: NDArray[np.int64]) -> float:
    """Return the seconds that it takes to read and crop."""
    started = time.perf_counter()
    with closing(batches(partial(view.fill, 0), cut(tickets, 16), shape=view.shape)) as loading:
        for _ in loading:
            pass
    return time.perf_counter() - started
