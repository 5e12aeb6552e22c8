"""At which size a classifier is best tested: accuracy and time over sizes, and a choice.

Pictures look larger in random crops than in centre crops, so that the best test size is often not
the one of the training (Touvron et al. 2019, arXiv 1906.06423). The short side is scaled with the
crop, so that the same part of the picture is seen.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.bundle.store import Bundle
from residua.data.source import Source
from residua.engines.engine import Engine
from residua.evaluate.compare import LEVEL, mcnemar
from residua.evaluate.model import evaluate_bundle, open_network
from residua.evaluate.multilabel import LabelTally
from residua.evaluate.ranks import SINGLE, Ranks
from residua.evaluate.run import Evaluation

_STEP = 32  # pixels; the networks halve the side five times
_LARGEST = 8192  # pixels of a side, as the schema has it
_MOST = 64  # sizes in one sweep
_BUDGET = 0.5  # seconds of timing


@dataclass(frozen=True, slots=True)
class Trial:
    """The evaluation at one size, without its scores; ``right`` tells of each picture by position.

    ``milliseconds`` are those of the network alone for a picture, in batches of ``batch``; the
    median of several runs.
    """

    preprocess: Preprocess
    evaluation: Evaluation
    right: NDArray[np.bool_]
    milliseconds: float
    batch: int

    @property
    def size(self) -> int:
        """Pixels of a side of the crop."""
        return self.preprocess.crop_size

    @property
    def value(self) -> float:
        """What is compared: top-1, of multi-label pictures the mean average precision."""
        counts = self.evaluation.counts
        return (counts.map or 0.0) if isinstance(counts, LabelTally) else counts.top1


def read_sizes(text: str) -> tuple[int, ...]:
    """Return the sizes that ``text`` names, rising: "160..320:32", "160..320" or "160,192,224".

    A range has steps of 32 unless it says otherwise, and includes its end. Raises SettingError.
    """
    if match := re.fullmatch(r"\s*(\d+)\s*\.\.\s*(\d+)\s*(?::\s*(\d+)\s*)?", text):
        first, last, step = (int(part) if part else _STEP for part in match.groups())
        sizes = list(range(first, last + 1, step)) if step else []
    elif re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        sizes = sorted({int(part) for part in text.split(",")})
    else:
        sizes = []
    if not sizes or sizes[0] < 1 or sizes[-1] > _LARGEST or len(sizes) > _MOST:
        raise SettingError(
            f"--sizes {text} names no sizes to test.",
            next_step=f"Give a range as 160..320 or 160..320:16, or a list as 160,192,224: at most "
            f"{_MOST} sizes of 1 to {_LARGEST} pixels.",
        )
    return tuple(sizes)


def scale_preprocess(given: Preprocess, size: int) -> Preprocess:
    """Return ``given`` for crops of ``size`` pixels that show the same part of a picture."""
    short_side = min(_LARGEST, max(1, round(given.short_side * size / given.crop_size)))
    return given.model_copy(update={"crop_size": size, "short_side": short_side})


def sweep(
    bundle: Bundle,
    source: Source,
    sizes: Sequence[int],
    *,
    batch_size: int = 64,
    device: str = "auto",
    ranks: Ranks = SINGLE,
    show_progress: bool = False,
) -> tuple[Trial, ...]:
    """Evaluate ``bundle`` on ``source`` at each of ``sizes``."""
    trials = []
    for size in sizes:
        preprocess = scale_preprocess(bundle.manifest.preprocess, size)
        manifest = bundle.manifest.model_copy(update={"preprocess": preprocess})
        resized = Bundle(bundle.path, manifest)
        engine = open_network(resized, device=device, ranks=ranks)
        evaluation = evaluate_bundle(
            resized, source, engine, batch_size=batch_size, ranks=ranks,
            show_progress=show_progress, keep_probabilities=True,
        )  # fmt: skip
        right = np.zeros(len(source), dtype=np.bool_)
        if evaluation.scores is not None:
            right[evaluation.scores.indices] = evaluation.scores.right(source)
        # The first process measures while the others wait.
        spent = ranks.share(_time(engine, preprocess) if ranks.first else None)
        without_scores = replace(evaluation, scores=None)
        trials.append(Trial(preprocess, without_scores, right, spent, engine.good_batch))
    return tuple(trials)


def choose(trials: Sequence[Trial], present: int) -> tuple[Trial, str]:
    """Return the trial to keep and why: the best, of equals the smaller, or the ``present`` size.

    The present size, which must be among them, stays where McNemar's test cannot tell the best from
    it. Of multi-label pictures there is no such test: the best mean average precision counts.
    """
    ordered = sorted(trials, key=lambda trial: trial.size)
    best = max(ordered, key=lambda trial: trial.value)  # the first, so the smallest, of equals
    if isinstance(best.evaluation.counts, LabelTally):
        return best, f"{best.size} pixels have the best mean average precision."
    now = next(trial for trial in ordered if trial.size == present)
    if best is now:
        return best, f"{best.size} pixels, the present size, are the best."
    p_value = mcnemar(int((now.right & ~best.right).sum()), int((best.right & ~now.right).sum()))
    points = f"McNemar p = {p_value:.2g}; {100 * (best.value - now.value):.2f} points"
    if p_value >= LEVEL:
        return now, (
            f"The best, {best.size} pixels, is not distinguishable from the present size, "
            f"{present} ({points}), which stays."
        )
    return best, f"{best.size} pixels are the best, better than the present {present} ({points})."


def _time(engine: Engine, preprocess: Preprocess) -> float:
    """Return the median milliseconds a picture of the network alone."""
    side, batch = preprocess.crop_size, engine.good_batch
    crops = np.resize(np.arange(251, dtype=np.uint8), (batch, side, side, preprocess.channels))
    engine.run(crops)  # the first run also sets up
    times: list[float] = []
    while len(times) < 5 or (sum(times) < _BUDGET and len(times) < 50):
        started = time.perf_counter()
        engine.run(crops)
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1000 / batch
