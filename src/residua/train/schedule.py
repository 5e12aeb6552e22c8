"""Learning-rate curves as pure functions of progress, so that resuming needs no state."""

import math

from residua.train.recipe import SchedulePart


def rate_factor(schedule: SchedulePart, epoch: float, epochs: int) -> float:
    """Return the factor of the learning rate after ``epoch`` (with its fraction) of ``epochs``.

    During the warm-up the factor rises linearly from 0. The cosine (arXiv 1608.03983, equation 5,
    without restarts) spans what is left after the warm-up; milestones count from the start.
    """
    warmup = min(schedule.warmup_epochs, epochs)
    if epoch < warmup:
        return epoch / warmup
    if schedule.curve == "multistep":
        passed = sum(epoch >= milestone for milestone in schedule.milestones)
        return float(schedule.gamma**passed)
    progress = (epoch - warmup) / (epochs - warmup) if epochs > warmup else 1.0
    fall = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return schedule.final + (1 - schedule.final) * fall
