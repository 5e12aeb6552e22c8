"""What the magnitude of each policy means in the unit of each operation.

Magnitudes come as a share 0…1 of the policy's largest one. The operations are named as in
``operations``. The figures are those of the programs that the published results come from; where
they differ from the papers, the papers name no figures or those of AutoAugment (arXiv 1805.09501,
table 6), which ``TORCHVISION`` has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_MOVES = ("shear-x", "shear-y", "translate-x", "translate-y", "rotate")
_ENHANCEMENTS = ("brightness", "colour", "contrast", "sharpness")
_TABLES = ("posterize", "solarize", "autocontrast", "equalize")


@dataclass(frozen=True, slots=True)
class Scale:
    """The operations of a policy and what the whole magnitude makes of each.

    ``shear`` is a tangent, ``rotate`` in degrees, ``translate`` in pixels for (share, side of the
    picture), ``enhance`` the distance of a factor from 1; all four go either way. ``posterize``
    gives the bits that stay and ``solarize`` the threshold, for a share.
    """

    top: float  # the largest magnitude that a recipe may name
    operations: tuple[str, ...]
    shear: float
    translate: Callable[[float, int], float]
    rotate: Callable[[float], float]
    enhance: float
    posterize: Callable[[float], int]
    solarize: Callable[[float], float]
    least_factor: float = 0.0
    fill: Literal["black", "mean", "grey"] = "black"

    def value(self, name: str, share: float, sign: int, side: int) -> float:
        """Return the value of the operation ``name``; ``side`` is the length that it moves in."""
        value = 0.0
        match name:
            case "shear-x" | "shear-y":
                value = sign * self.shear * share
            case "translate-x" | "translate-y":
                value = sign * self.translate(share, side)
            case "rotate":
                value = sign * self.rotate(share)
            case "brightness" | "colour" | "contrast" | "sharpness":
                value = max(self.least_factor, 1 + sign * self.enhance * share)
            case "posterize":
                value = self.posterize(share)
            case "solarize":
                value = self.solarize(share)
            case "solarize-add":
                value = int(110 * share)
        return value


# torchvision, transforms/autoaugment.py (v0.24): AutoAugment (ten bins) and RandAugment (31).
TORCHVISION = Scale(
    top=30,
    operations=("identity", *_MOVES, *_ENHANCEMENTS, *_TABLES),
    shear=0.3,
    translate=lambda share, side: int(150 / 331 * side * share),
    rotate=lambda share: 30 * share,
    enhance=0.9,
    posterize=lambda share: 8 - round(4 * share),
    solarize=lambda share: 255 * (1 - share),
)

# The same file: TrivialAugmentWide (arXiv 2103.10158, table 1, "Wide"). 32 pixels at any size.
TRIVIAL = Scale(
    top=30,
    operations=("identity", *_MOVES, *_ENHANCEMENTS, *_TABLES),
    shear=0.99,
    translate=lambda share, _: int(32 * share),
    rotate=lambda share: 135 * share,
    enhance=0.99,
    posterize=lambda share: 8 - round(6 * share),
    solarize=lambda share: 255 * (1 - share),
)

# timm, data/auto_augment.py (v1.0): "rand-…-inc1", the increasing operations.
TIMM = Scale(
    top=10,
    operations=(*_MOVES, *_ENHANCEMENTS, *_TABLES, "solarize-add", "invert"),
    shear=0.3,
    translate=lambda share, side: 0.45 * side * share,
    rotate=lambda share: 30 * share,
    enhance=0.9,
    posterize=lambda share: 4 - int(4 * share),
    solarize=lambda share: 256 - int(256 * share),
    least_factor=0.1,
    fill="mean",
)

# PaddleClas, ppcls/data/preprocess/ops/randaugment.py: RandAugment. There rotations go one way
# only, which the paper does not have; posterizing and solarizing grow weaker with the magnitude.
PADDLE = Scale(
    top=10,
    operations=(*_MOVES, *_ENHANCEMENTS, *_TABLES, "invert"),
    shear=0.3,
    translate=lambda share, side: 150 / 331 * side * share,
    rotate=lambda share: 30 * share,
    enhance=0.9,
    posterize=lambda share: int(4 * share),
    solarize=lambda share: 256 * share,
    fill="grey",
)

# AugMix (arXiv 1912.02781, section 3 and google-research/augmix: augmentations.py): none of the
# operations that ImageNet-C tests with, so no contrast, colour, brightness or sharpness.
AUGMIX = Scale(
    top=10,
    operations=(*_MOVES, *_TABLES),
    shear=0.3,
    translate=lambda share, side: int(side / 3 * share),
    rotate=lambda share: int(30 * share),
    enhance=0.0,
    posterize=lambda share: 4 - int(4 * share),
    solarize=lambda share: 256 - int(256 * share),
)

RANGES = {"torchvision": TORCHVISION, "timm": TIMM, "paddle": PADDLE}
