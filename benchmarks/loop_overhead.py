"""The training loop against a bare step on fixed tensors: seconds an update, paired.

Both do the same: ResNet18, 32 pictures of 128 pixels, SGD. The loop has its loader, but reading a
picture is copying an array, so that decoding is not part of it.

python benchmarks/loop_overhead.py
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import time

import numpy as np
import torch
from numpy.typing import NDArray

from recording import measure_pairs, write_result
from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Metrics, Preprocess
from residua.data.settings import AugmentPart
from residua.data.source import Source
from residua.data.view import TrainingView
from residua.evaluate.ranks import SINGLE
from residua.pixels.graph import Normalize
from residua.train.display import Display
from residua.train.loop import Surroundings, fit
from residua.train.recipe.descent import OptimiserPart
from residua.train.recipe.tree import LoopPart, Recipe
from residua.train.setup import make_computation, make_state
from residua.train.stop import StopRequest
from residua.train.storage.keeper import Keeper
from residua.train.storage.record import RunRecord
from residua.train.update.learner import Place, Supervised
from residua.train.update.losses import make_loss
from residua.train.update.optimiser import make_optimiser
from residua.train.update.precision import choose_precision
from residua.train.update.shares import Shares
from residua.train.update.step import prepare_forward
from residua.zoo.create import create

SIZE, BATCH, UPDATES, CLASSES = 128, 32, 12, 10
RECIPE = Recipe(
    augment=AugmentPart(image_size=SIZE),
    optimiser=OptimiserPart(lr=0.01),
    loop=LoopPart(epochs=1, batch_size=BATCH),
)


class FixedView(TrainingView):
    """A view whose pictures are there already."""

    def fill(self, _epoch: int, _ticket: int, out: NDArray[np.uint8]) -> None:
        """Copy the one picture."""
        out[...] = PICTURE


PICTURE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
SOURCE = Source(
    title="fixed",
    classes=numbered_classes(CLASSES),
    names=tuple(str(number) for number in range(BATCH * UPDATES)),
    labels=np.arange(BATCH * UPDATES, dtype=np.int64) % CLASSES,
    read=lambda _: b"",
)
PREPROCESS = Preprocess(crop_size=SIZE, short_side=SIZE)
PRECISION = choose_precision("auto", torch.device("cpu"))


def time_loop() -> float:
    """Return seconds an update of the loop."""
    network = create("ResNet18", num_classes=CLASSES, seed=0)
    shares = Shares(len(SOURCE), BATCH, BATCH, SINGLE)
    learner = Supervised(network, make_loss(RECIPE.loss, num_classes=CLASSES), PRECISION)
    computation = make_computation(learner, RECIPE, PREPROCESS, shares)
    state = make_state(computation, RECIPE)
    view = FixedView(SOURCE, PREPROCESS, RECIPE.augment, seed=0)
    display, record = Display(quiet=True), RunRecord(None)
    surroundings = Surroundings(
        lambda: Metrics(source="measured", data="", top1=0.0, loss=0.0),
        Keeper(None, RECIPE.output, SINGLE, record, display),
        record,
        display,
        StopRequest(SINGLE),
        lambda: False,
    )
    started = time.perf_counter()
    fit(state, computation, view, RECIPE, surroundings)
    return (time.perf_counter() - started) / UPDATES


def time_bare() -> float:
    """Return seconds an update of nothing but normalise, forward, loss, backward, step."""
    network = create("ResNet18", num_classes=CLASSES, seed=0).train()
    shares = Shares(len(SOURCE), BATCH, BATCH, SINGLE)
    lose = make_loss(RECIPE.loss, num_classes=CLASSES)
    learner = Supervised(network, lose, PRECISION)
    forward = prepare_forward(learner, RECIPE.precision, shares)
    optimiser = make_optimiser(network, RECIPE.optimiser)
    normalize = Normalize(PREPROCESS.mean, PREPROCESS.std)
    images = torch.from_numpy(np.stack([PICTURE] * BATCH))
    labels = torch.arange(BATCH) % CLASSES
    started = time.perf_counter()
    for _ in range(UPDATES):
        optimiser.zero_grad(set_to_none=True)
        forward(normalize(images), labels, Place(0, 0, 0, 0)).mean().backward()
        optimiser.step()
    return (time.perf_counter() - started) / UPDATES


def main() -> None:
    """Measure nine pairs and write results/loop_overhead.json."""
    write_result(
        "loop_overhead",
        "seconds an update: the training loop (a) against a bare step on fixed tensors (b)",
        "python benchmarks/loop_overhead.py",
        {
            "unit": "s an update", "precision": PRECISION.name, "batch": BATCH, "size": SIZE,
            **measure_pairs(time_loop, time_bare, pairs=9),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
