"""The recipe: everything that decides what a training run does, as one typed value.

A recipe is frozen, complete (no default is looked up later) and stored in the bundle that it made.
Unknown keys are refused with the nearest valid name.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Fraction, Positive, Record

NonNegative = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class ModelPart(Record):
    """The network. ``pretrained`` is a zoo name, a bundle or a weight file; empty: from scratch."""

    name: str
    pretrained: str = ""
    small_images: bool = False
    widths: tuple[Positive, ...] = ()
    stem_width: Positive | None = None
    drop_path: Fraction = 0.0
    zero_gamma: bool = True


class DataPart(Record):
    """The validation part held out of a single folder; without meaning where val/ exists."""

    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    split_seed: Seed = 0


class AugmentPart(Record):
    """What training does to pictures: crop (scale is a share of the area), mirror, mixup."""

    image_size: Positive = 224
    crop_scale: tuple[NonNegative, NonNegative] = (0.08, 1.0)
    crop_ratio: tuple[NonNegative, NonNegative] = (3 / 4, 4 / 3)
    flip: Annotated[float, Field(ge=0, le=1)] = 0.5
    # Beta(mixup, mixup) is the share of each picture of a pair; 0 is off.
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError("crop_scale must rise and lie in 0…1")
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError("crop_ratio must rise")
        return self


class LossPart(Record):
    """Cross entropy, with ``label_smoothing`` of the target spread over all classes."""

    label_smoothing: Fraction = 0.0


class OptimiserPart(Record):
    """SGD with momentum. ``lr`` is for the recipe's batch size; multipliers are by part's name."""

    name: Literal["sgd"] = "sgd"
    lr: Annotated[float, Field(gt=0)]
    momentum: Fraction = 0.9
    nesterov: bool = True
    weight_decay: NonNegative = 1e-4
    # Decay scales and shifts of normalisations, and biases, too.
    decay_all: bool = False
    # "stem", "stage1", …, "head" → factor of the learning rate; what is not named has 1.
    lr_multipliers: dict[str, NonNegative] = Field(default_factory=dict)


class SchedulePart(Record):
    """The learning rate over the epochs, as a factor of ``lr``.

    Cosine falls from 1 to ``final``; piecewise is multiplied by ``gamma`` at each of
    ``milestones`` (epochs). Both start with a linear rise over ``warmup_epochs``.
    """

    curve: Literal["cosine", "piecewise"] = "cosine"
    warmup_epochs: NonNegative = 0.0
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    milestones: tuple[NonNegative, ...] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


class PrecisionPart(Record):
    """What the network computes in while training; validation and bundles are float32."""

    compute: Literal["auto", "fp32", "bf16"] = "auto"


class LoopPart(Record):
    """Length, batch and seed of the run; ``log_every`` counts steps."""

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)] = 64
    seed: Seed = 0
    log_every: Positive = 20


class Recipe(Record):
    """A whole training run, apart from the pictures."""

    model: ModelPart
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    loss: LossPart = LossPart()
    optimiser: OptimiserPart
    schedule: SchedulePart = SchedulePart()
    precision: PrecisionPart = PrecisionPart()
    loop: LoopPart

    @model_validator(mode="after")
    def _lengths_agree(self) -> Self:
        if self.schedule.warmup_epochs >= self.loop.epochs and self.loop.epochs > 1:
            raise ValueError(
                f"a warm-up of {self.schedule.warmup_epochs:g} epochs leaves nothing of "
                f"{self.loop.epochs}"
            )
        return self


def read_recipe(content: Mapping[str, Any]) -> Recipe:
    """Return the recipe that ``content`` spells out.

    Raises UnknownNameError with the nearest key, or SettingError that names the wrong value.
    """
    _refuse_unknown(content, Recipe, "")
    try:
        return Recipe.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "as a whole"
        given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
        message = first["msg"].removeprefix("Value error, ")
        raise SettingError(f"The recipe does not make sense, {place}: {message}{given}.") from error


def _refuse_unknown(content: Mapping[str, Any], record: type[BaseModel], place: str) -> None:
    fields = record.model_fields
    for key, value in content.items():
        if key not in fields:
            known = [f"{place}{name}" for name in fields]
            raise UnknownNameError("recipe key", f"{place}{key}", known)
        kind = fields[key].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, Mapping):
            _refuse_unknown(value, kind, f"{place}{key}.")
