"""Random resized crops and flips: their parameters as pure functions of random numbers.

The rule is torchvision's ``RandomResizedCrop.get_params`` (v0.24): area uniform in ``scale``,
aspect ratio log-uniform in ``ratio``, ten attempts, then the largest central crop whose ratio is
allowed. What is drawn and what is done with it are apart: ``pixels`` applies the box.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.data.draws import Purpose, uniforms

_ATTEMPTS = 10
# Two numbers an attempt (area, ratio), and two for the position.
_DRAWS = 2 * _ATTEMPTS + 2


@dataclass(frozen=True, slots=True)
class CropRule:
    """``scale``: share of the area; ``ratio``: width over height; ``flip``: chance of mirroring."""

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5


@dataclass(frozen=True, slots=True)
class Box:
    """A crop in whole pixels of the source: left and top edge, width and height."""

    left: int
    top: int
    width: int
    height: int

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """The box as (left, top, right, bottom)."""
        return (self.left, self.top, self.left + self.width, self.top + self.height)


def draw_crop(
    width: int, height: int, rule: CropRule, *, seed: int, epoch: int, index: int
) -> tuple[Box, bool]:
    """Return the crop of sample ``index`` in ``epoch``, and whether it is mirrored."""
    place = np.array([index], dtype=np.int64)
    numbers = uniforms(Purpose.CROP, seed=seed, epoch=epoch, indices=place, count=_DRAWS)[0]
    coin = uniforms(Purpose.FLIP, seed=seed, epoch=epoch, indices=place, count=1)[0, 0]
    return choose_box(width, height, rule, numbers), bool(coin < rule.flip)


def choose_box(width: int, height: int, rule: CropRule, numbers: NDArray[np.float64]) -> Box:
    """Return the crop of a picture, in pixels, that 22 ``numbers`` in [0, 1) choose."""
    low, high = math.log(rule.ratio[0]), math.log(rule.ratio[1])
    for attempt in range(_ATTEMPTS):
        share = rule.scale[0] + (rule.scale[1] - rule.scale[0]) * float(numbers[2 * attempt])
        area = width * height * share
        ratio = math.exp(low + (high - low) * float(numbers[2 * attempt + 1]))
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            return Box(
                left=int(float(numbers[-2]) * (width - box_width + 1)),
                top=int(float(numbers[-1]) * (height - box_height + 1)),
                width=box_width,
                height=box_height,
            )
    return _central_box(width, height, rule)


def _central_box(width: int, height: int, rule: CropRule) -> Box:
    box_width, box_height = width, height
    if width / height < rule.ratio[0]:
        box_height = max(1, round(width / rule.ratio[0]))
    elif width / height > rule.ratio[1]:
        box_width = max(1, round(height * rule.ratio[1]))
    return Box((width - box_width) // 2, (height - box_height) // 2, box_width, box_height)
