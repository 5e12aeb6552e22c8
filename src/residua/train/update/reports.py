"""What a running training tells: after a logging step, after an epoch."""

from dataclasses import dataclass
from typing import Any, Self

from residua.bundle.schema import Metrics


@dataclass(frozen=True, slots=True)
class StepReport:
    """A logging step: progress in epochs, mean loss since the last one, rates and gradient norm.

    ``waiting`` is the share of the time since the last one that was spent waiting for pictures.
    """

    epoch: float
    loss: float
    lr: float
    gradient_norm: float
    images_per_second: float
    waiting: float


@dataclass(frozen=True, slots=True)
class EpochReport:
    """An epoch: its mean training loss, its last rate, its speed, and the validation's figures.

    ``metrics`` is None where the recipe does not validate after this epoch.
    """

    epoch: int
    loss: float
    lr: float
    image_size: int
    images_per_second: float
    metrics: Metrics | None

    def as_record(self) -> dict[str, Any]:
        """Return plain JSON values; ``read`` makes the report again."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "metrics"}
        metrics = self.metrics.model_dump(mode="json") if self.metrics else None
        return fields | {"metrics": metrics}

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Return the report that ``as_record`` spelt out."""
        metrics = record["metrics"]
        return cls(**{**record, "metrics": Metrics.model_validate(metrics) if metrics else None})
