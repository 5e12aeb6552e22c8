"""A time budget: as many epochs as fit are planned, and none is begun that would not."""

import math
import time

from residua.base.clock import spell_seconds
from residua.base.errors import SettingError
from residua.train.recipe.file import change
from residua.train.recipe.tree import Recipe

_PLANNED = 0.9  # of the budget: speed varies, and the bundle has to be written
_DOUBT = 2.0  # times the truth that a forecast may say
_UNITS = {"s": 1 / 60, "sec": 1 / 60, "min": 1.0, "m": 1.0, "h": 60.0, "d": 1440.0}


class Budget:
    """Counts the minutes of a run from now on; 0 is no limit."""

    def __init__(self, minutes: float) -> None:
        """The clock starts."""
        self.minutes = minutes
        self._started = time.monotonic()
        self._epochs_ended: list[float] = []

    def plan(self, recipe: Recipe, seconds_per_epoch: float) -> Recipe:
        """Return ``recipe`` with as many epochs as the budget allows.

        Where not quite one fits, one is tried: a forecast on a busy machine may be twice the truth.
        Raises SettingError where not even half of one would fit: a learning rate that has not
        fallen to its end, and pictures never seen, make no classifier worth writing.
        """
        if not self.minutes:
            return recipe
        if seconds_per_epoch > _DOUBT * self.minutes * 60:
            enough = max(1, math.ceil(seconds_per_epoch / _PLANNED / 60))
            raise SettingError(
                f"A budget of {spell_seconds(self.minutes * 60)} is less than one epoch takes "
                f"here: about {spell_seconds(seconds_per_epoch)}.",
                next_step=f"Give --budget {enough}min or more, smaller pictures (--image-size), a "
                "smaller network (--model), or no budget at all.",
            )
        fitting = int(self.minutes * 60 * _PLANNED / max(seconds_per_epoch, 1e-9))
        epochs = max(1, min(recipe.loop.epochs, fitting))
        warmup = min(recipe.schedule.warmup_epochs, epochs / 10)
        if epochs == recipe.loop.epochs:
            return recipe
        return change(recipe, {"loop.epochs": epochs, "schedule.warmup_epochs": warmup})

    def is_spent(self) -> bool:
        """Tell, after an epoch, whether another as long as the longest would not end in time."""
        if not self.minutes:
            return False
        now = time.monotonic()
        before = self._epochs_ended[-1] if self._epochs_ended else self._started
        self._epochs_ended.append(now)
        return now + (now - before) > self._started + self.minutes * 60


def read_minutes(text: str) -> float | None:
    """Return the minutes of "20min", "90s", "1.5h" or plain "20"; None of an empty text."""
    if not text.strip():
        return None
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text.strip()[len(digits) :].strip() or "min"
    try:
        minutes = float(digits) * _UNITS[unit]
    except (ValueError, KeyError):
        minutes = -1.0
    if minutes <= 0:
        raise SettingError(
            f"{text!r} is no length of time.", next_step="Write it as 20min, 90s or 1.5h."
        )
    return minutes
