"""What a running training tells: after a logging step, after an epoch."""

from dataclasses import dataclass

from residua.bundle.schema import Metrics


@dataclass(frozen=True, slots=True)
class StepReport:
    """A logging step: progress in epochs, mean loss since the last one, rates and gradient norm."""

    epoch: float
    loss: float
    lr: float
    gradient_norm: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class EpochReport:
    """An epoch: its mean training loss, its speed, and the figures on the validation part."""

    epoch: int
    loss: float
    images_per_second: float
    metrics: Metrics
