"""The largest micro-batch that fits the memory, the same on every process.

How many pictures are computed at once never changes the effective batch of an update: what does
not fit at once is accumulated.
"""

from collections.abc import Callable

import torch

from residua.base.errors import TrainingError
from residua.base.machine import available_memory
from residua.evaluate.ranks import Ranks
from residua.train.plan.trial import measure_activations, try_step
from residua.train.update.learner import Learner

_SHARE = 0.7  # of the free memory of a processor that activations may take


def choose_micro_batch(learner: Learner, size: int, rows: int, ranks: Ranks) -> int:
    """Return how many of ``rows`` pictures of ``size`` pixels a process computes at once.

    On a GPU steps are tried on a copy of the learner, by halves, until one fits; on a processor,
    which would rather swap than refuse, the memory that one picture keeps is measured. The answer
    is the least of all processes. Raises TrainingError where not even two pictures fit.
    """
    device = learner.precision.device
    if device.type == "cuda":
        own = halve_until_fit(rows, lambda count: _fits(learner, size, count))
    else:
        each = measure_activations(learner, size)
        budget = int(available_memory() * _SHARE / max(1, ranks.world))
        own = halve_until_fit(rows, lambda count: count * each <= budget)
    least: int = min(ranks.gather(own))
    if least == 0:
        raise TrainingError(
            f"Not even two pictures of {size} pixels fit into the memory of {device}.",
            next_step="Use smaller pictures (--image-size), a smaller network, or bf16.",
        )
    return least


def halve_until_fit(rows: int, fits: Callable[[int], bool]) -> int:
    """Return the first of rows, rows/2, rows/4 … (even numbers, 2 at least) that fits; 0: none."""
    count = max(2, rows)
    while not fits(count):
        if count == 2:
            return 0
        count = max(2, count // 2 + count // 2 % 2)
    return count


def _fits(learner: Learner, size: int, rows: int) -> bool:
    try:
        try_step(learner, size, rows, repeats=0)
    except torch.OutOfMemoryError:
        fitting = False
    else:
        fitting = True
    torch.cuda.empty_cache()
    return fitting
