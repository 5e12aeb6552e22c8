"""Losses and speed of a running training, added up on the device and read at logging steps."""

import time

import torch
from torch import Tensor

from residua.evaluate.ranks import Ranks
from residua.train.update.reports import StepReport


class Meter:
    """Adds up the losses of the rows of all processes; reading them is the only wait.

    ``sums`` is float64 [2]: the losses since the last reading and of the epoch so far, of this
    process alone. They are part of a checkpoint, so that a resumed epoch reports the same loss.
    """

    def __init__(self, device: torch.device, ranks: Ranks, batch: int) -> None:
        """``batch`` is the number of rows of an update, of all processes together."""
        self.sums = torch.zeros(2, device=device, dtype=torch.float64)
        self.steps = self.epoch_steps = 0  # since the last reading, of the epoch
        self._ranks, self._batch = ranks, batch
        self._seen = 0  # steps of this process's life, for the speed
        self._started = self._epoch_started = time.monotonic()
        self._waited = 0.0

    def begin_epoch(self) -> None:
        """Start an epoch with nothing added."""
        self.sums.zero_()
        self.steps = self.epoch_steps = 0
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure the speed from here on: after a validation, or where a run was taken up."""
        self._seen = 0
        self._started = self._epoch_started = time.monotonic()
        self._waited = 0.0

    def add(self, loss: Tensor) -> None:
        """Count an update: ``loss`` is the sum over this process's rows, without gradient."""
        self.sums += loss
        self.steps += 1
        self.epoch_steps += 1
        self._seen += 1

    def read(self, epoch: float, rate: float, norm: Tensor, waited: float) -> StepReport:
        """Wait for the device and return the report since the last reading.

        ``waited`` are the seconds that this epoch has waited for pictures so far.
        """
        total = self._ranks.add(self.sums[0].clone())
        values = torch.stack([total, norm.double()]).tolist()
        now = time.monotonic()
        elapsed = max(now - self._started, 1e-9)
        report = StepReport(
            epoch=epoch,
            loss=values[0] / (self.steps * self._batch),
            lr=rate,
            gradient_norm=values[1],
            images_per_second=min(self.steps, self._seen) * self._batch / elapsed,
            waiting=min(1.0, max(0.0, waited - self._waited) / elapsed),
        )
        self.sums[0] = 0
        self.steps = 0
        self._started, self._waited = now, waited
        return report

    def whole(self) -> tuple[float, float]:
        """Return the mean loss of the epoch and the images a second of what ran here of it."""
        total = self._ranks.add(self.sums[1].clone()).item()
        elapsed = max(time.monotonic() - self._epoch_started, 1e-9)
        return total / (self.epoch_steps * self._batch), self._seen * self._batch / elapsed
