"""What a run computes with and what it must remember, made from its recipe."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from residua.bundle.schema import Preprocess
from residua.data.source import Source
from residua.evaluate.ranks import SINGLE, Ranks
from residua.pixels.graph import Normalize
from residua.train.recipe.tree import Recipe
from residua.train.start import Start, start
from residua.train.storage.checkpoint import Checkpoint
from residua.train.storage.keeper import take_up
from residua.train.storage.state import TrainingState
from residua.train.update.average import Average
from residua.train.update.learner import Learner, Lesson
from residua.train.update.losses import make_loss
from residua.train.update.meter import Meter
from residua.train.update.optimiser import make_optimiser
from residua.train.update.precision import Precision
from residua.train.update.quantise import quantise
from residua.train.update.reports import EpochReport
from residua.train.update.shares import Shares
from residua.train.update.step import Computation, prepare_forward
from residua.zoo.sync_norm import synchronise_norms


def begin(recipe: Recipe, training: Source, device: torch.device, ranks: Ranks = SINGLE) -> Start:
    """Return what ``recipe`` starts from; the network rounds as int8 does if the recipe says so."""
    begun = start(recipe, training.classes)
    if not recipe.precision.quantise:
        return begun
    rounding = quantise(
        begun.network, training, begun.deployed, device, seed=recipe.loop.seed, ranks=ranks
    )
    first, *others = begun.notes
    first += " Training and validation round as int8 does; the figures at the end are without."
    return replace(begun, notes=(first, *others), rounding=rounding)


def end_rounding(begun: Start, reports: Sequence[EpochReport], epoch: int) -> Start:
    """Take the rounding of int8 out, if there is one, and note what validation gave with it.

    The weights of the bundle are those of ``epoch``.
    """
    if begun.rounding is None:
        return begun
    begun.rounding.remove()
    (metrics,) = [report.metrics for report in reports if report.epoch == epoch]
    if metrics is None:
        return begun
    name, score = ("mAP", metrics.map) if metrics.top1 is None else ("top-1", metrics.top1)
    note = f"With the rounding of int8: {name} {score:.2%}, loss {metrics.loss:.4f}."
    return replace(begun, notes=(*begun.notes, note))


def make_lesson(begun: Start, recipe: Recipe, source: Source, precision: Precision) -> Lesson:
    """Return what is to be learnt: the network that the run begins with, and the labels' loss."""
    counts = source.count_classes()
    loss = make_loss(
        recipe.loss,
        num_classes=len(source.classes),
        counts=counts,
        samples=len(source) if source.multi_label else int(counts.sum()),
        multi_label=source.multi_label,
    )
    return Lesson(begun.network, loss, precision, begun.preprocess, source.classes)


def make_computation(
    learner: Learner, recipe: Recipe, preprocess: Preprocess, shares: Shares
) -> Computation:
    """Return how ``learner`` is trained; it is moved to its device and laid out in memory."""
    precision = learner.precision
    if recipe.loop.sync_norm and shares.ranks.world > 1:
        synchronise_norms(learner.network)
    return Computation(
        learner=learner,
        forward=prepare_forward(learner, recipe.precision, shares),
        normalize=Normalize(preprocess.mean, preprocess.std).to(precision.device),
        precision=precision,
        scaler=precision.make_scaler(),
        augment=recipe.augment,
        shares=shares,
        seed=recipe.loop.seed,
    )


def make_state(
    computation: Computation, recipe: Recipe, checkpoint: Checkpoint | None = None
) -> TrainingState:
    """Return the state of a run that begins, or goes on from ``checkpoint``."""
    network, shares = computation.network, computation.shares
    average = Average(network, recipe.average) if recipe.average.kind != "none" else None
    state = TrainingState(
        network=network,
        companions=computation.learner.companions,
        optimiser=make_optimiser(
            network, recipe.optimiser, computation.learner.companions.parameters()
        ),
        scaler=computation.scaler,
        average=average,
        meter=Meter(computation.precision.device, shares.ranks, shares.batch),
    )
    if checkpoint is not None:
        take_up(state, checkpoint, shares.ranks)
    return state
