"""Curves of rate and momentum as pure functions of progress: resuming needs no state."""

import math
from collections.abc import Sequence

from residua.train.recipe.descent import SchedulePart


def rate_factor(schedule: SchedulePart, epoch: float, epochs: int, *, drops: int = 0) -> float:
    """Return the factor of the learning rate after ``epoch`` (with its fraction) of ``epochs``.

    During the warm-up the factor rises from ``warmup_start`` to 1, whatever the curve says.
    Steps and milestones count from the start of the run; cosine (arXiv 1608.03983, equation 5,
    without restarts), polynomial, one-cycle and fixmatch span what is left after the warm-up, and
    the cycles of cyclic (arXiv 1506.01186, section 3) begin at its end. ``drops`` is
    what ``count_drops`` found, for plateau. With ``per`` "epoch" an epoch has the factor of its
    beginning.
    """
    if schedule.per == "epoch":
        epoch = math.floor(epoch)
    warmup = min(schedule.warmup_epochs, epochs)
    if epoch < warmup:
        risen = epoch / warmup
        if schedule.curve == "one-cycle":
            risen = 1 - _fall(risen)
        return schedule.warmup_start + (1 - schedule.warmup_start) * risen
    if schedule.curve == "plateau":
        return float(schedule.gamma**drops)
    if schedule.curve == "cyclic":
        return _cycle(schedule, epoch - warmup)
    return _follow(schedule, epoch, (epoch - warmup) / (epochs - warmup) if epochs > warmup else 1)


def momentum_at(schedule: SchedulePart, epoch: float, epochs: int) -> float | None:
    """Return the momentum after ``epoch`` of ``epochs``; None where the schedule leaves it alone.

    It goes against the rate (arXiv 1708.07120, and torch's OneCycleLR): from its highest value down
    to its lowest while the rate rises, and back while the rate falls, along half a cosine each.
    """
    if schedule.momentum is None:
        return None
    if schedule.per == "epoch":
        epoch = math.floor(epoch)
    low, high = schedule.momentum
    warmup = min(schedule.warmup_epochs, epochs)
    if epoch < warmup:
        return low + (high - low) * _fall(epoch / warmup)
    progress = (epoch - warmup) / (epochs - warmup) if epochs > warmup else 1
    return high - (high - low) * _fall(min(progress, 1))


def _follow(schedule: SchedulePart, epoch: float, progress: float) -> float:
    """Return the factor after the warm-up, of which ``progress`` says how much is done."""
    progress = min(progress, 1)
    match schedule.curve:
        case "cosine" | "one-cycle":
            return schedule.final + (1 - schedule.final) * _fall(progress)
        case "polynomial":
            return schedule.final + (1 - schedule.final) * float((1 - progress) ** schedule.power)
        case "fixmatch":
            return math.cos(math.pi * schedule.cycles * progress)
        case "step" | "multistep":
            return _step(schedule, epoch)
        case _:
            return 1.0


def _step(schedule: SchedulePart, epoch: float) -> float:
    """Return the factor of step and multistep after ``epoch``."""
    if schedule.curve == "step":
        return float(schedule.gamma ** (epoch // schedule.step_epochs))
    passed = sum(epoch >= milestone for milestone in schedule.milestones)
    if schedule.factors:
        return (1.0, *schedule.factors)[passed]
    return float(schedule.gamma**passed)


def _cycle(schedule: SchedulePart, epoch: float) -> float:
    """Return the factor of cyclic so many epochs after the warm-up: straight up, straight down."""
    rise, fall = schedule.cycle_epochs
    turns, rest = divmod(epoch, rise + fall)
    height = rest / rise if rest < rise else 1 - (rest - rise) / fall
    match schedule.cycle_fall:
        case "steps":
            height *= schedule.gamma**turns
        case "smooth":
            height *= schedule.gamma ** (epoch / (rise + fall))
    return schedule.final + (1 - schedule.final) * height


def count_drops(values: Sequence[float], patience: int, *, higher_is_better: bool) -> int:
    """Return how often the rate falls on a plateau, from the ``values`` of all validations so far.

    It falls whenever ``patience`` validations in a row were not better than the best before;
    after a fall they are counted anew. A value that is no number is not better.
    """
    best, waited, drops = -math.inf, 0, 0
    for value in values:
        score = value if higher_is_better else -value
        if score > best:
            best, waited = score, 0
            continue
        waited += 1
        if waited == patience:
            waited, drops = 0, drops + 1
    return drops


def _fall(progress: float) -> float:
    """Half a cosine: 1 at 0, 0 at 1."""
    return (1 + math.cos(math.pi * progress)) / 2
