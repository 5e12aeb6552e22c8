"""The learning-rate range test (arXiv 1506.01186, section 3.3), on a copy that is thrown away.

The rate rises exponentially from update to update while the loss is watched. The network that is to
be trained, and everything random, stay as they were bit by bit.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from residua.base.errors import SettingError
from residua.data.loader import batches
from residua.data.order import epoch_order
from residua.data.source import Parts
from residua.data.view import TrainingView
from residua.evaluate.ranks import SINGLE
from residua.train.display import Display
from residua.train.plan.fit_batch import choose_micro_batch
from residua.train.recipe.tree import Recipe
from residua.train.setup import begin, make_computation, make_lesson
from residua.train.update.clipping import change_gradients
from residua.train.update.learner import LearnerMaker, learn_from_labels
from residua.train.update.optimiser import make_optimiser, set_rate
from residua.train.update.precision import choose_device, choose_precision
from residua.train.update.shares import Shares
from residua.train.update.step import Computation, run_backward

_LOWEST, _HIGHEST = 1e-6, 10.0
_SMOOTHING = 0.9
_DIVERGED = 4.0  # times the lowest loss


@dataclass(frozen=True, slots=True)
class RateTest:
    """Rates and smoothed losses of the updates, and the rate that the curve suggests."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float

    def draw(self, *, lines: int = 24, width: int = 50) -> str:
        """Return the curve as text, a line for a few updates, the suggestion marked."""
        lowest, highest = min(self.losses), max(self.losses)
        span = max(highest - lowest, 1e-9)
        step = max(1, len(self.rates) // lines)
        drawn = [f"{'rate':>8}  {'loss':>8}"]
        for at in range(0, len(self.rates), step):
            rates = self.rates[at : at + step]
            bar = "█" * (1 + round((width - 1) * (self.losses[at] - lowest) / span))
            mark = "  ← suggested" if self.suggestion in rates else ""
            drawn.append(f"{rates[0]:8.1e}  {self.losses[at]:8.4f}  {bar}{mark}")
        return "\n".join(drawn)


def try_rates(
    recipe: Recipe,
    parts: Parts,
    *,
    device: str,
    display: Display,
    make_learner: LearnerMaker = learn_from_labels,
) -> RateTest:
    """Set up the training that ``recipe`` says, without writing anything, and try rates with it."""
    precision = choose_precision(recipe.precision.compute, choose_device(device))
    begun = begin(recipe, parts.training, precision.device)
    display.say(begun.notes[0])
    batch = min(recipe.loop.batch_size, len(parts.training))
    learner = make_learner(make_lesson(begun, recipe, parts.training, precision))
    micro = recipe.loop.micro_batch or choose_micro_batch(
        learner, recipe.augment.image_size, batch, SINGLE
    )
    view = TrainingView(
        parts.training, begun.preprocess, recipe.augment, seed=recipe.loop.seed,
        repeats=recipe.data.repeats,
    )  # fmt: skip
    shares = Shares(len(parts.training), batch, micro)
    computation = make_computation(learner, recipe, begun.preprocess, shares)
    display.say("Trying 100 learning rates, which rise until the loss does: an update each.")
    return find_rate(computation, view, recipe, display=display)


def find_rate(
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
    *,
    updates: int = 100,
    display: Display | None = None,
) -> RateTest:
    """Return the result of ``updates`` updates, or fewer where the loss diverges before.

    Raises SettingError with several processes: the effective batch is the same with one.
    """
    if computation.shares.ranks.world > 1:
        raise SettingError(
            "The learning rate is sought by one process.",
            next_step="Run the same without torchrun: the effective batch is the same.",
        )
    learner = copy.deepcopy(computation.learner)
    network = learner.network.train()
    scaler = computation.precision.make_scaler()
    trial = replace(computation, learner=learner, forward=learner, scaler=scaler)
    optimiser = make_optimiser(network, recipe.optimiser, learner.companions.parameters())
    labels = torch.from_numpy(view.source.labels).to(computation.precision.device)
    if view.source.multi_label:
        labels = labels.float()  # [N, classes]
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    for rate, (images, tickets, step) in zip(
        _rising(updates), _updates(computation, view, recipe, updates), strict=False
    ):
        set_rate(optimiser, rate)
        optimiser.zero_grad(set_to_none=True)
        places = torch.from_numpy(tickets // recipe.data.repeats).to(labels.device)
        targets = labels[places]
        total = run_backward(
            trial, torch.from_numpy(images).to(labels.device), targets, tickets,
            epoch=step[0], step=step[1],
        )  # fmt: skip
        scaler.unscale_(optimiser)
        change_gradients(network, optimiser.param_groups, recipe.optimiser)
        scaler.step(optimiser)
        scaler.update()
        loss = total.item() / computation.shares.batch
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smoothed = average / (1 - _SMOOTHING ** (len(losses) + 1))
        if not math.isfinite(smoothed) or (losses and smoothed > _DIVERGED * min(losses)):
            break
        rates.append(rate)
        losses.append(smoothed)
        if display is not None:
            display.show_count(len(rates), updates, f"rate {rate:.1e}  loss {smoothed:.4f}")
    return RateTest(tuple(rates), tuple(losses), suggest(rates, losses))


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Return the rate half way down the longest fall of the losses (fastai's "valley" rule).

    Raises SettingError where the losses nowhere fall.
    """
    lengths = [1] * len(losses)
    for i in range(len(losses)):
        falls = [lengths[j] for j in range(i) if losses[i] < losses[j]]
        lengths[i] += max(falls, default=0)
    longest = max(lengths, default=0)
    if longest < 2:
        raise SettingError(
            "The loss did not fall at any learning rate.",
            next_step="Check the labels (residua data check), or train longer at a low rate.",
        )
    bottom = lengths.index(longest)
    return rates[bottom - longest // 2]


def _rising(updates: int) -> list[float]:
    ratio = (_HIGHEST / _LOWEST) ** (1 / max(1, updates - 1))
    return [_LOWEST * ratio**number for number in range(updates)]


def _updates(
    computation: Computation, view: TrainingView, recipe: Recipe, updates: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], tuple[int, int]]]:
    """Yield the batches of as many epochs as the updates take."""
    shares, done, epoch = computation.shares, 0, 0
    while done < updates:
        order = epoch_order(
            len(view.source), seed=recipe.loop.seed, epoch=epoch, repeats=recipe.data.repeats
        )
        loading = batches(
            partial(view.fill, epoch), shares.pieces(order), shape=view.shape_at(epoch)
        )
        with closing(loading):
            for step, batch in enumerate(loading):
                yield batch.images, batch.indices, (epoch, step)
        done, epoch = done + shares.steps, epoch + 1
