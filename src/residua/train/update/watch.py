"""A watch over the losses: what is not finite ends a run, what climbs is said, with what to do."""

import math
from typing import Any

from residua.base.errors import TrainingError
from residua.train.update.reports import StepReport

# A smoothed loss this much above its lowest is no noise of a batch.
_CLIMB = 1.5
_SMOOTHING = 0.9  # share of the past in the smoothed loss
_SETTLED = 5  # logging steps before the smoothed loss means much
_LEAP = 3.0  # times the lowest, before that
_SLOW = 0.2  # share of the time spent waiting for pictures that is worth a word


class Watch:
    """Reads the report of every logging step; its ``numbers`` are part of the run's state."""

    def __init__(self, numbers: dict[str, Any] | None = None) -> None:
        """Go on with ``numbers``, or begin afresh."""
        self.numbers: dict[str, Any] = {
            "seen": 0, "last": 0.0, "smoothed": 0.0, "lowest": math.inf, "climbing": False
        } | (numbers or {})  # fmt: skip
        self._said_slow = False  # a matter of this process and its time, not of the run

    def check(self, report: StepReport, *, scaled: bool = False) -> str:
        """Return a warning to show, or nothing.

        Raises TrainingError where the loss or the gradient is no finite number. With ``scaled``
        gradients (fp16) one that overflows is the scaler's matter, which leaves out the step.
        """
        for what, value in (("loss", report.loss), ("gradient's norm", report.gradient_norm)):
            if not math.isfinite(value) and not (scaled and what != "loss"):
                raise TrainingError(
                    f"The {what} is {value} after {report.epoch:.2f} epochs: the training "
                    f"diverged. {self._past()}",
                    next_step=f"Lower the learning rate (it was {report.lr:g}): --lr, or find one "
                    "with --find-lr; or add a warm-up, or bound the gradients "
                    "(-o optimiser.clip_norm=1). With --restart it begins anew.",
                )
        return self._climb(report) or self._wait(report)

    def _past(self) -> str:
        if not self.numbers["seen"]:
            return "It was not finite at the first look."
        return f"At the last look the loss was {self.numbers['last']:.4g}."

    def _climb(self, report: StepReport) -> str:
        numbers = self.numbers
        seen, past = numbers["seen"], numbers["smoothed"]
        share = min(_SMOOTHING, seen / (seen + 1))
        smoothed = numbers["smoothed"] = share * past + (1 - share) * report.loss
        numbers["seen"], numbers["last"] = seen + 1, report.loss
        numbers["lowest"] = lowest = min(numbers["lowest"], smoothed)
        much = _CLIMB if seen >= _SETTLED else _LEAP
        climbing, before = smoothed > much * lowest + 0.05, numbers["climbing"]
        numbers["climbing"] = climbing
        if not climbing or before:
            return ""
        return (
            f"the loss climbs: about {smoothed:.3g} after {report.epoch:.2f} epochs, when it had "
            f"been {lowest:.3g}. If it goes on, lower the learning rate (now {report.lr:.2g}) or "
            "bound the gradients (-o optimiser.clip_norm=1)."
        )

    def _wait(self, report: StepReport) -> str:
        if report.waiting < _SLOW or self._said_slow or self.numbers["seen"] < 10:
            return ""
        self._said_slow = True
        return (
            f"{report.waiting:.0%} of the time the training waits for pictures. Smaller files "
            "(residua data pack) or more processor cores would help."
        )
