"""The training loop, read top to bottom.

Nothing in an update waits for the device: losses add up there and are read at logging steps only.
A loss or gradient that is not finite is therefore noticed at the next logging step at the latest,
and the last update of every epoch is one.
"""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from residua.base.errors import StoppedError
from residua.bundle.schema import Metrics
from residua.data.loader import batches
from residua.data.order import epoch_order
from residua.data.view import TrainingView
from residua.evaluate.model import share_of_cores
from residua.train.display import Display
from residua.train.recipe.descent import OptimiserPart
from residua.train.recipe.tree import Recipe
from residua.train.stop import StopRequest, listening
from residua.train.storage.keeper import Keeper
from residua.train.storage.record import RunRecord
from residua.train.storage.state import Best, TrainingState
from residua.train.update.clipping import change_gradients, changes_gradients
from residua.train.update.feed import Feed, place_indices
from residua.train.update.optimiser import set_momentum, set_rate
from residua.train.update.renewal import renew_statistics
from residua.train.update.reports import EpochReport, StepReport
from residua.train.update.schedule import count_drops, momentum_at, rate_factor
from residua.train.update.step import Computation, run_backward_within_memory


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whom the loop talks to: validation, the disk, the user."""

    validate: Callable[[], Metrics]
    keeper: Keeper
    record: RunRecord
    display: Display
    stop: StopRequest
    out_of_time: Callable[[], bool]


def fit(
    state: TrainingState,
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
    surroundings: Surroundings,
) -> None:
    """Train from where ``state`` is to the end of ``recipe``, and leave the result in it.

    Every random draw is a function of the recipe's seed. Raises TrainingError where the loss or a
    gradient stops being finite, and StoppedError, after a checkpoint, where a stop was asked for.
    """
    with listening(surroundings.stop):
        for epoch in range(len(state.history), recipe.loop.epochs):
            if state.ended:
                surroundings.display.say(state.ended)
                return
            # A run stopped between the last update and the validation goes on with the latter.
            if state.position.epoch == epoch:
                computation = _train_epoch(epoch, state, computation, view, recipe, surroundings)
            _end_epoch(epoch, state, computation, view, recipe, surroundings)
            if surroundings.stop.agreed():
                raise _stopped(surroundings.stop, epoch + 1, recipe)


def _train_epoch(
    epoch: int,
    state: TrainingState,
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
    surroundings: Surroundings,
) -> Computation:
    """Do the updates of ``epoch`` that are left; return what the next epoch computes with."""
    steps, stop, keeper = computation.shares.steps, surroundings.stop, surroundings.keeper
    labels, drops = _place_labels(view, computation), _count_drops(state, recipe)
    if state.position.step == 0:
        state.meter.begin_epoch()
    else:
        state.meter.restart_clock()
    state.network.train()
    with closing(_load(epoch, state, computation, view, recipe)) as feed:
        for images, tickets in feed:
            # Every update: rate, forward, loss, backward, step, average.
            step = state.position.step
            logging = (step + 1) % recipe.loop.log_every == 0 or step + 1 == steps
            schedule, at, end = recipe.schedule, epoch + (step + 0.5) / steps, recipe.loop.epochs
            state.rate = recipe.optimiser.lr * rate_factor(schedule, at, end, drops=drops)
            set_rate(state.optimiser, state.rate)
            set_momentum(state.optimiser, momentum_at(schedule, at, end))
            state.optimiser.zero_grad(set_to_none=True)
            targets = labels[place_indices(tickets // recipe.data.repeats, labels.device)]
            loss, computation = run_backward_within_memory(
                computation, images, targets, tickets, epoch=epoch, step=step
            )
            norm = _update(state, recipe.optimiser, wants_norm=logging)
            state.meter.add(loss)
            state.position = state.position.advance(steps)
            # At logging steps: wait for the device, look at the numbers, show them.
            if logging:
                done = epoch + (step + 1) / steps
                report = state.meter.read(done, state.rate, norm, feed.waited)
                _look(report, state, recipe, surroundings)
            # Now and then, and when asked to stop: write everything to disk.
            stopping = stop.agreed()
            if stopping or keeper.is_due(state.position.updates, logging=logging):
                keeper.save(state)
            if stopping:
                raise _stopped(stop, epoch + (step + 1) / steps, recipe)
    return computation


def _stopped(stop: StopRequest, epochs: float, recipe: Recipe) -> StoppedError:
    return StoppedError(
        f"Stopped by {stop.signal_name or 'another process'} after {epochs:.2f} of "
        f"{recipe.loop.epochs} epochs.",
        exit_code=130 if stop.signal_name == "SIGINT" else 143,
        next_step="The same command goes on from here.",
    )


def _place_labels(view: TrainingView, computation: Computation) -> Tensor:
    """Return the labels on the device: int64 [N], or float32 [N, classes] of multi-label data."""
    labels = torch.from_numpy(view.source.labels).to(computation.precision.device)
    return labels.float() if view.source.multi_label else labels


def _load(
    epoch: int,
    state: TrainingState,
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
) -> Feed:
    """Return the batches of ``epoch`` that are left, as they come from the threads."""
    order = epoch_order(
        len(view.source), seed=recipe.loop.seed, epoch=epoch, repeats=recipe.data.repeats
    )
    pieces, shape = computation.shares.pieces(order), view.shape_at(epoch)
    loading = batches(
        partial(view.fill, epoch), pieces, shape=shape, start=state.position.step,
        threads=share_of_cores(computation.shares.ranks),
    )  # fmt: skip
    return Feed(loading, computation.precision.device)


def _update(state: TrainingState, part: OptimiserPart, *, wants_norm: bool) -> Tensor:
    """Bound the gradients, step, and average; return the norm of the gradients before."""
    groups = state.optimiser.param_groups
    norm = torch.zeros(())
    if wants_norm or changes_gradients(part):
        state.scaler.unscale_(state.optimiser)
    if wants_norm:
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        norm = get_total_norm(gradients)
    change_gradients(state.network, groups, part)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.average is not None:
        state.average.update(state.position.updates + 1)
    return norm


def _look(
    report: StepReport, state: TrainingState, recipe: Recipe, surroundings: Surroundings
) -> None:
    """Write and show the numbers of a logging step; raises TrainingError where they diverged."""
    surroundings.record.write("step", update=state.position.updates, **asdict(report))
    if warning := state.watch.check(report, scaled=state.scaler.is_enabled()):
        surroundings.display.say(f"Warning: {warning}")
    surroundings.display.show_step(report, recipe.loop.epochs)


def _end_epoch(
    epoch: int,
    state: TrainingState,
    computation: Computation,
    view: TrainingView,
    recipe: Recipe,
    surroundings: Surroundings,
) -> None:
    """Validate what a bundle would hold, note the figures, keep the best, write a checkpoint."""
    ranks, part = computation.shares.ranks, recipe.evaluate
    surroundings.keeper.save(state)  # a long validation may be cut off
    if state.average is not None:
        state.average.end_epoch(epoch + 1)
    loss, speed = state.meter.whole()
    metrics = None
    state.network.eval()
    with state.average.applied() if state.average else nullcontext():
        if (epoch + 1) % part.every == 0 or epoch + 1 == recipe.loop.epochs:
            if state.average is not None and state.average.lacks_statistics:
                renew_statistics(computation, view, epoch=epoch, repeats=recipe.data.repeats)
            # Running statistics are each process's own: the first one's count.
            ranks.copy_from_first([b for b in state.network.buffers() if b.is_floating_point()])
            metrics = surroundings.validate()
            better = _better(state.best, epoch + 1, metrics, recipe)
            if better is not None:
                state.best = better
                if part.keep == "best":
                    surroundings.keeper.save_best(state)
    report = EpochReport(epoch + 1, loss, state.rate, view.shape_at(epoch)[0], speed, metrics)
    state.history = (*state.history, report)
    state.ended = _end(state, recipe, surroundings)
    surroundings.record.write("epoch", update=state.position.updates, **_flat(report))
    surroundings.display.show_epoch(report, recipe.loop.epochs)
    surroundings.keeper.save(state)


def _better(best: Best, epoch: int, metrics: Metrics, recipe: Recipe) -> Best | None:
    """Return the new best if ``metrics`` beat ``best``; of equal values the lower loss wins."""
    value, loss = _value(metrics, recipe), metrics.loss or 0.0
    higher = recipe.evaluate.metric != "loss"
    sign = 1 if higher else -1
    beats = (sign * value, -loss) > (sign * best.value, -best.loss)
    return Best(epoch, value, loss) if beats or best.epoch == 0 else None


def _value(metrics: Metrics, recipe: Recipe) -> float:
    value: float = getattr(metrics, recipe.evaluate.metric)
    return value


def _values(state: TrainingState, recipe: Recipe) -> list[float]:
    return [_value(report.metrics, recipe) for report in state.history if report.metrics]


def _count_drops(state: TrainingState, recipe: Recipe) -> int:
    if recipe.schedule.curve != "plateau":
        return 0
    higher = recipe.evaluate.metric != "loss"
    values = _values(state, recipe)
    return count_drops(values, recipe.schedule.patience, higher_is_better=higher)


def _end(state: TrainingState, recipe: Recipe, surroundings: Surroundings) -> str:
    """Return why no further epoch is to be trained, or nothing."""
    since = [r for r in state.history if r.metrics and r.epoch > state.best.epoch]
    if recipe.loop.patience and state.best.epoch and len(since) >= recipe.loop.patience:
        return f"No better validation for {recipe.loop.patience} in a row: stopping early."
    if surroundings.out_of_time():
        return _out_of_time(state, recipe)
    return ""


def _out_of_time(state: TrainingState, recipe: Recipe) -> str:
    """Return that the budget is spent, and how far the learning rate still was from its end."""
    said = "Another epoch would not fit into the budget: stopping."
    done, planned = state.history[-1].epoch, recipe.loop.epochs
    if done == planned:
        return said
    return (
        f"{said} Of {planned} epochs {done} were trained, slower than forecast, and the learning "
        f"rate still was at {state.rate:.2g} of {recipe.optimiser.lr:.2g}: a run that is planned "
        f"for {done} (-o loop.epochs={done}) ends better."
    )


def _flat(report: EpochReport) -> dict[str, object]:
    names = {"top1", "top5", "map", "loss", "images"}
    metrics = report.metrics.model_dump(include=names, exclude_none=True) if report.metrics else {}
    return {
        "epoch": report.epoch,
        "train_loss": report.loss,
        "lr": report.lr,
        "image_size": report.image_size,
        "images_per_second": report.images_per_second,
        **{f"val_{name}": value for name, value in metrics.items()},
    }
