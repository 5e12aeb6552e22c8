"""The parts of a recipe that say what is read and what training does to it.

They stand on this floor because the code that obeys them does; ``train.recipe`` puts the whole
recipe together.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from residua.bundle.schema import Positive, Record

NonNegative = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Range = tuple[NonNegative, NonNegative]
Cells = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DataPart(Record):
    """How the data set is read; the places themselves are given to the command, not here.

    ``val_fraction`` and ``split_seed`` matter where no validation part is given or found.
    ``format`` "auto" goes by the content and the suffix. Columns are of CSV, Parquet, JSONL and
    Hugging Face tables; ``delimiter`` and ``label_map`` (a file of "index name" lines) of list
    files; paths of lists and tables are relative to ``root`` (empty: to the file's folder).
    """

    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    split_seed: Seed = 0
    format: Literal["auto", "folder", "list", "table", "shards", "hub"] = "auto"
    root: str = ""
    image_column: str = ""
    label_column: str = ""
    delimiter: str = ""
    label_map: str = ""
    multi_label: bool = False
    # Repeated augmentation (arXiv 1901.09335): every picture this often in a batch, in an epoch of
    # the same length, which then holds only so much fewer different pictures.
    repeats: Positive = 1


class CropPart(Record):
    """A random crop, resized to the image size; "centre" instead prepares as evaluation does.

    ``scale`` is a share of the area. The rule "torchvision" draws the aspect ratio log-uniformly
    and tries ten times; "paddle" draws it uniformly from a range that always fits. "padded"
    prepares as evaluation does, adds ``padding`` black pixels on each side and crops the image size
    anywhere (arXiv 1512.03385, section 4.2).
    """

    kind: Literal["random", "centre", "padded"] = "random"
    padding: Positive = 4
    rule: Literal["torchvision", "paddle"] = "torchvision"
    scale: Range = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError("scale must rise and lie in 0…1")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError("ratio must rise")
        return self


class JitterPart(Record):
    """Colour jitter: strengths as torchvision's ``ColorJitter``, applied with ``probability``."""

    brightness: NonNegative = 0.0
    contrast: NonNegative = 0.0
    saturation: NonNegative = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    probability: Probability = 1.0


class PolicyPart(Record):
    """A policy of operations on one picture.

    "autoaugment" takes ``table``. "randaugment" applies ``layers`` operations of ``magnitude``
    (normal with ``magnitude_std``), each with ``probability``; ``ranges`` says whose scale the
    magnitude is of (torchvision 0…30, timm's increasing 0…10, Paddle's 0…10). "trivialaugment"
    applies one of random magnitude. "augmix" mixes ``chains`` chains of random depth, whose
    magnitudes are drawn up to ``severity``.
    """

    kind: Literal["none", "autoaugment", "randaugment", "trivialaugment", "augmix"] = "none"
    table: Literal["imagenet", "cifar10"] = "imagenet"
    layers: Positive = 2
    magnitude: Annotated[float, Field(ge=0, le=30)] = 9.0
    magnitude_std: NonNegative = 0.0
    probability: Probability = 1.0
    ranges: Literal["torchvision", "timm", "paddle"] = "torchvision"
    chains: Positive = 3
    severity: Annotated[float, Field(gt=0, le=10)] = 3.0

    @model_validator(mode="after")
    def _magnitude_fits(self) -> Self:
        if self.ranges != "torchvision" and self.magnitude > 10:
            raise ValueError(f"magnitudes of {self.ranges} lie in 0…10")
        return self


class ErasePart(Record):
    """What is taken out of a picture, with ``probability``.

    "erasing": a rectangle of ``area`` (share) and ``ratio`` (height to width), filled as ``fill``
    says; ``rule`` "torchvision" (and timm) draws the ratio log-uniformly, "paddle" (and the paper)
    uniformly. "cutout": ``holes`` squares of ``size`` pixels. "gridmask": squares in a grid of
    period ``grid`` pixels, turned by up to ``rotate`` degrees, that leave the share ``keep`` of
    the area (1 - (1 - r)² for the r of the paper). "hideandseek": cells of ``cells`` pixels (one
    of them is drawn; 0 hides nothing), each hidden with ``hide``. Pixels are those of a picture of
    224; other sizes scale them. All but "erasing" fill with the mean colour, as their papers do.
    ``ramp_epochs`` lets GridMask's probability rise from 0 over so many epochs.
    """

    kind: Literal["none", "erasing", "cutout", "gridmask", "hideandseek"] = "none"
    probability: Probability = 1.0
    area: Range = (0.02, 1 / 3)
    ratio: Range = (0.3, 10 / 3)
    rule: Literal["torchvision", "paddle"] = "torchvision"
    fill: Literal["mean", "noise"] = "mean"
    holes: Positive = 1
    size: Positive = 112
    grid: tuple[Positive, Positive] = (96, 224)
    rotate: Annotated[float, Field(ge=0, le=360)] = 360.0
    keep: Probability = 0.5
    ramp_epochs: NonNegative = 0.0
    cells: Cells = (0, 16, 32, 44, 56)
    hide: Probability = 0.5

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, (low, high) in (("area", self.area), ("ratio", self.ratio), ("grid", self.grid)):
            if not 0 < low <= high:
                raise ValueError(f"{name} must rise and be above 0")
        if self.area[1] > 1:
            raise ValueError("area is a share: 1 at most")
        return self


class MixPart(Record):
    """Pairs of pictures: ``mixup`` and ``cutmix`` are the alphas of their Beta; 0 is off.

    With ``probability`` a batch is mixed; where both are on, cutmix is taken with ``switch``.
    """

    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    cutmix: Annotated[float, Field(ge=0, le=10)] = 0.0
    probability: Probability = 1.0
    switch: Probability = 0.5


class ProgressivePart(Record):
    """Progressive resizing: the image size rises linearly from one epoch to another.

    Until ``start_epoch`` it is ``start_size``, from ``end_epoch`` on ``end_size``; between, it is
    rounded to the nearest multiple of ``multiple`` pixels (as in ffcv-imagenet, get_resolution).
    """

    start_size: Positive
    end_size: Positive
    start_epoch: NonNegative = 0.0
    end_epoch: NonNegative
    multiple: Positive = 32

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not (self.start_epoch <= self.end_epoch and self.start_size <= self.end_size):
            raise ValueError("sizes and epochs must rise")
        return self


class AugmentPart(Record):
    """What training does to pictures, in this order: crop, mirror, policy, colours, erase, mix.

    ``lighting`` is the standard deviation of AlexNet's PCA noise (0 is off). ``interpolation``
    "given" is that of the preprocessing; "random" draws bilinear or bicubic for each picture.
    """

    image_size: Positive = 224
    progressive: ProgressivePart | None = None
    crop: CropPart = CropPart()
    flip: Probability = 0.5
    interpolation: Literal["given", "bilinear", "bicubic", "random"] = "given"
    policy: PolicyPart = PolicyPart()
    jitter: JitterPart = JitterPart()
    lighting: NonNegative = 0.0
    erase: ErasePart = ErasePart()
    mix: MixPart = MixPart()

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.crop.kind != "random" and self.interpolation != "given":
            raise ValueError(
                f'crop.kind "{self.crop.kind}" prepares as evaluation does: interpolation "given"'
            )
        return self
