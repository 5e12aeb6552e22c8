"""Random resized crops and flips: their parameters as pure functions of random numbers.

The rule is torchvision's ``RandomResizedCrop.get_params`` (v0.24): area uniform in ``scale``,
aspect ratio log-uniform in ``ratio``, ten attempts, then the largest central crop whose ratio is
allowed. What is drawn and what is done with it are apart: ``pixels`` applies the box.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from residua.data.draws import Purpose, stream

_ATTEMPTS = 10


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
    numbers = stream(Purpose.CROP, seed=seed, epoch=epoch, index=index)
    coin = next(stream(Purpose.FLIP, seed=seed, epoch=epoch, index=index))
    return choose_box(width, height, rule, numbers), coin < rule.flip


def choose_box(width: int, height: int, rule: CropRule, numbers: Iterator[float]) -> Box:
    """Return the crop of a picture, in pixels, that ``numbers`` in [0, 1) choose.

    Each attempt takes two of them (area, ratio), and the place of the first that fits another two.
    """
    low, high = math.log(rule.ratio[0]), math.log(rule.ratio[1])
    for _ in range(_ATTEMPTS):
        share = rule.scale[0] + (rule.scale[1] - rule.scale[0]) * next(numbers)
        ratio = math.exp(low + (high - low) * next(numbers))
        area = width * height * share
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            left = int(next(numbers) * (width - box_width + 1))
            top = int(next(numbers) * (height - box_height + 1))
            return Box(left, top, box_width, box_height)
    return _central_box(width, height, rule)


def _central_box(width: int, height: int, rule: CropRule) -> Box:
    box_width, box_height = width, height
    if width / height < rule.ratio[0]:
        box_height = max(1, round(width / rule.ratio[0]))
    elif width / height > rule.ratio[1]:
        box_width = max(1, round(height * rule.ratio[1]))
    return Box((width - box_width) // 2, (height - box_height) // 2, box_width, box_height)
