"""The parts of a recipe that say what is read and what training does to it.

They stand on this floor because the code that obeys them does; ``train.recipe`` puts the whole
recipe together. The text below a key is its meaning in docs/recipe-keys.md.
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
    """How the data set is read; the places themselves are given to the command, not here."""

    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of each class that is held out, where no validation part is given or found."""
    split_seed: Seed = 0
    """Decides which pictures are held out."""
    format: Literal["auto", "folder", "list", "table", "shards", "hub"] = "auto"
    """What the data set is made of; "auto" goes by the content and the suffix."""
    root: str = ""
    """Folder that paths in lists and tables are relative to; empty: the file's own."""
    image_column: str = ""
    """Column of the pictures in CSV, Parquet, JSONL and Hugging Face tables; empty: found."""
    label_column: str = ""
    """Column of the classes; empty: found."""
    delimiter: str = ""
    """Between path and class of a list file; empty: found."""
    label_map: str = ""
    """File of "index name" lines that names the numbers of a list or table."""
    multi_label: bool = False
    """A picture may have several classes, or none."""
    repeats: Positive = 1
    """Repeated augmentation (arXiv 1901.09335): so many copies of a picture in a batch, and as many
    times fewer different pictures in an epoch, whose length stays."""


class CropPart(Record):
    """What of a picture becomes the crop."""

    kind: Literal["random", "centre", "padded"] = "random"
    """A "random" part of any size, resized; "centre", as evaluation prepares; "padded", as centre
    with ``padding`` black pixels around and a window of the size anywhere (arXiv 1512.03385, 4.2).
    """
    padding: Positive = 4
    """Pixels on each side of a padded crop."""
    rule: Literal["torchvision", "paddle"] = "torchvision"
    """Of random crops: "torchvision" draws the ratio log-uniformly and tries ten times, "paddle"
    uniformly from a range that always fits."""
    scale: Range = (0.08, 1.0)
    """Share of the picture's area, from and to."""
    ratio: Range = (3 / 4, 4 / 3)
    """Width to height, from and to."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError("scale must rise and lie in 0…1")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError("ratio must rise")
        return self


class JitterPart(Record):
    """Colour jitter: strengths as torchvision's ``ColorJitter``; 0 is off."""

    brightness: NonNegative = 0.0
    """Factor drawn from 1 ± this."""
    contrast: NonNegative = 0.0
    """Factor drawn from 1 ± this."""
    saturation: NonNegative = 0.0
    """Factor drawn from 1 ± this."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Turn drawn from ± this, of a whole circle."""
    probability: Probability = 1.0
    """Of a picture being changed at all."""


class PolicyPart(Record):
    """A policy of operations on one picture."""

    kind: Literal["none", "autoaugment", "randaugment", "trivialaugment", "augmix"] = "none"
    """Which policy; "trivialaugment" applies one operation of random magnitude."""
    table: Literal["imagenet", "cifar10"] = "imagenet"
    """Whose pairs of operations AutoAugment takes."""
    layers: Positive = 2
    """Operations of RandAugment."""
    magnitude: Annotated[float, Field(ge=0, le=30)] = 9.0
    """Strength of RandAugment's operations, on the scale of ``ranges``."""
    magnitude_std: NonNegative = 0.0
    """Standard deviation of that strength, drawn anew for each operation."""
    probability: Probability = 1.0
    """Of each of RandAugment's operations."""
    chance: Probability = 1.0
    """Of a picture getting the policy at all."""
    ranges: Literal["torchvision", "timm", "paddle"] = "torchvision"
    """Whose operations and scale: torchvision's 0…30, timm's increasing 0…10, Paddle's 0…10."""
    chains: Positive = 3
    """Chains that AugMix mixes."""
    depth: Annotated[int, Field(ge=0, le=3)] = 0
    """Operations of each of AugMix's chains; 0: one to three, drawn."""
    concentration: Annotated[float, Field(gt=0)] = 1.0
    """Of the Dirichlet and the Beta that weigh AugMix's chains; below 1 one of them rules."""
    severity: Annotated[float, Field(gt=0, le=10)] = 3.0
    """Up to which AugMix draws its magnitudes."""

    @model_validator(mode="after")
    def _magnitude_fits(self) -> Self:
        if self.ranges != "torchvision" and self.magnitude > 10:
            raise ValueError(f"magnitudes of {self.ranges} lie in 0…10")
        return self


class ErasePart(Record):
    """What is taken out of a picture. Pixels are those of a picture of 224; other sizes scale them.

    All but "erasing" fill with the mean colour, as their papers do.
    """

    kind: Literal["none", "erasing", "cutout", "gridmask", "hideandseek"] = "none"
    """A rectangle, squares, a turned grid of squares, or cells of a grid."""
    probability: Probability = 1.0
    """Of a picture being erased at all."""
    area: Range = (0.02, 1 / 3)
    """Of erasing: share of the picture, from and to."""
    ratio: Range = (0.3, 10 / 3)
    """Of erasing: height to width, from and to."""
    rule: Literal["torchvision", "paddle"] = "torchvision"
    """Of erasing: torchvision and timm draw the ratio log-uniformly, Paddle and the paper not."""
    fill: Literal["mean", "noise"] = "mean"
    """Of erasing: what is put in."""
    holes: Positive = 1
    """Of cutout: the number of squares."""
    size: Positive = 112
    """Of cutout: their side in pixels."""
    grid: tuple[Positive, Positive] = (96, 224)
    """Of gridmask: period in pixels, from and to."""
    rotate: Annotated[float, Field(ge=0, le=360)] = 360.0
    """Of gridmask: largest turn in degrees."""
    keep: Probability = 0.5
    """Of gridmask: share of the area that stays, 1 - (1 - r)² for the r of the paper."""
    ramp_epochs: NonNegative = 0.0
    """Of gridmask: epochs over which its probability rises from 0."""
    cells: Cells = (0, 16, 32, 44, 56)
    """Of hideandseek: sides in pixels, of which one is drawn; 0 hides nothing."""
    hide: Probability = 0.5
    """Of hideandseek: the chance of each cell."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, (low, high) in (("area", self.area), ("ratio", self.ratio), ("grid", self.grid)):
            if not 0 < low <= high:
                raise ValueError(f"{name} must rise and be above 0")
        if self.area[1] > 1:
            raise ValueError("area is a share: 1 at most")
        return self


class MixPart(Record):
    """Pairs of pictures, and their labels, mixed."""

    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Alpha of the Beta that blends two pictures; 0 is off."""
    cutmix: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Alpha of the Beta that cuts one into the other; 0 is off."""
    probability: Probability = 1.0
    """Of a batch being mixed at all."""
    switch: Probability = 0.5
    """Of cutmix, where both are on."""


class ProgressivePart(Record):
    """Progressive resizing: the image size rises linearly from one epoch to another."""

    start_size: Positive
    """Pixels until ``start_epoch``."""
    end_size: Positive
    """Pixels from ``end_epoch`` on."""
    start_epoch: NonNegative = 0.0
    """Where the size begins to rise."""
    end_epoch: NonNegative
    """Where it ends to rise."""
    multiple: Positive = 32
    """Sizes between are rounded to multiples of it (as in ffcv-imagenet, get_resolution)."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not (self.start_epoch <= self.end_epoch and self.start_size <= self.end_size):
            raise ValueError("sizes and epochs must rise")
        return self


class AugmentPart(Record):
    """What training does to pictures, in this order: crop, mirror, policy, colours, erase, mix."""

    image_size: Positive = 224
    """Side of the crops in pixels."""
    progressive: ProgressivePart | None = None
    """Image sizes that grow with the epochs; null: they do not."""
    crop: CropPart = CropPart()
    flip: Probability = 0.5
    """Of a crop being mirrored left to right."""
    interpolation: Literal["given", "bilinear", "bicubic", "random"] = "given"
    """How crops are resized; "given" as in evaluation, "random" bilinear or bicubic by chance."""
    policy: PolicyPart = PolicyPart()
    jitter: JitterPart = JitterPart()
    lighting: NonNegative = 0.0
    """Standard deviation of AlexNet's noise along the principal colours; 0 is off."""
    erase: ErasePart = ErasePart()
    mix: MixPart = MixPart()

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.crop.kind != "random" and self.interpolation != "given":
            raise ValueError(
                f'crop.kind "{self.crop.kind}" prepares as evaluation does: interpolation "given"'
            )
        return self
