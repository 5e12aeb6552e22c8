"""Losses and speed of a running training, added up on the device and read at logging steps."""

import time

import torch
from torch import Tensor

from residua.train.reports import StepReport


class Meter:
    """Adds losses up on the device; reading them is the only wait."""

    def __init__(self, device: torch.device) -> None:
        """Begin an epoch with nothing added; the clock starts."""
        self._sums = torch.zeros(2, device=device)  # since the last reading, over the epoch
        self._steps = self._epoch_steps = self._images = self._epoch_images = 0
        self._started = self._epoch_started = time.monotonic()
        self._epoch_seconds = 0.0

    def add(self, loss: Tensor, images: int) -> None:
        """Count a step: its mean ``loss`` (on the device, without gradient) over ``images``."""
        self._sums += loss
        self._steps += 1
        self._epoch_steps += 1
        self._images += images
        self._epoch_images += images

    def read(self, epoch: float, rate: float, norm: Tensor) -> StepReport:
        """Wait for the device and return the report since the last reading."""
        total, gradient_norm = torch.stack([self._sums[0], norm.float()]).tolist()
        now = time.monotonic()
        report = StepReport(
            epoch=epoch,
            loss=total / self._steps,
            lr=rate,
            gradient_norm=gradient_norm,
            images_per_second=self._images / max(now - self._started, 1e-9),
        )
        self._sums[0] = 0
        self._steps = self._images = 0
        self._started = now
        self._epoch_seconds = now - self._epoch_started
        return report

    def whole(self) -> tuple[float, float]:
        """Return the mean loss of the epoch and its images a second."""
        rate = self._epoch_images / max(self._epoch_seconds, 1e-9)
        return self._sums[1].item() / self._epoch_steps, rate
