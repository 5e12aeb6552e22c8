"""Random resized crops and flips: their parameters as pure functions of random numbers.

What is drawn and what is done with it are apart: ``pixels`` applies the box. There are two rules:

- "torchvision" (``RandomResizedCrop.get_params``, v0.24): area uniform in ``scale``, aspect ratio
  log-uniform in ``ratio``, ten attempts, then the largest central crop whose ratio is allowed.
- "paddle" (PaddleClas, ppcls/data/preprocess/ops/operators.py: RandCropImage): aspect ratio
  uniform in ``ratio``, then the area uniform in ``scale`` as far as a crop of that ratio fits.

Pictures of a few pixels are rather padded and shifted: ``draw_shift`` and ``shift``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.data.draws import Purpose, stream
from residua.data.settings import CropPart

_ATTEMPTS = 10


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


def draw_box(width: int, height: int, part: CropPart, *, seed: int, epoch: int, ticket: int) -> Box:
    """Return the crop, in pixels, of ``ticket`` in ``epoch`` from a picture of that size."""
    numbers = stream(Purpose.CROP, seed=seed, epoch=epoch, index=ticket)
    if part.rule == "paddle":
        return choose_fitting_box(width, height, part, numbers)
    return choose_box(width, height, part, numbers)


def draw_shift(padding: int, *, seed: int, epoch: int, ticket: int) -> tuple[int, int]:
    """Return where a padded crop begins, from the left and from above: each of 0…2 ``padding``."""
    numbers = stream(Purpose.CROP, seed=seed, epoch=epoch, index=ticket)
    places = 2 * padding + 1
    return int(next(numbers) * places), int(next(numbers) * places)


def shift(crop: NDArray[np.uint8], padding: int, place: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the window of ``crop``'s size at ``place`` of ``crop`` with a black border.

    ``crop`` is uint8 [H, W, C]; the border of zeros is ``padding`` pixels wide, ``place`` as from
    ``draw_shift``. It is torchvision's RandomCrop(size, padding=padding).
    """
    height, width, _ = crop.shape
    left, top = place
    padded = np.pad(crop, ((padding, padding), (padding, padding), (0, 0)))
    return np.ascontiguousarray(padded[top : top + height, left : left + width])


def draw_flip(probability: float, *, seed: int, epoch: int, ticket: int) -> bool:
    """Tell whether ``ticket`` is mirrored in ``epoch``."""
    return next(stream(Purpose.FLIP, seed=seed, epoch=epoch, index=ticket)) < probability


def choose_box(width: int, height: int, part: CropPart, numbers: Iterator[float]) -> Box:
    """Return the crop that ``numbers`` in [0, 1) choose by torchvision's rule.

    Each attempt takes two of them (area, ratio), and the place of the first that fits another two.
    """
    low, high = math.log(part.ratio[0]), math.log(part.ratio[1])
    for _ in range(_ATTEMPTS):
        share = part.scale[0] + (part.scale[1] - part.scale[0]) * next(numbers)
        ratio = math.exp(low + (high - low) * next(numbers))
        area = width * height * share
        box_width, box_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            return _place(width, height, box_width, box_height, numbers)
    return _central_box(width, height, part)


def choose_fitting_box(width: int, height: int, part: CropPart, numbers: Iterator[float]) -> Box:
    """Return the crop that ``numbers`` in [0, 1) choose by Paddle's rule: ratio, area, place.

    Where Paddle would cut a crop of no pixels (of pictures of a few pixels) it has one.
    """
    ratio = part.ratio[0] + (part.ratio[1] - part.ratio[0]) * next(numbers)
    # A crop of this ratio and more than this share of the area would stick out.
    bound = min(width / height / ratio, height / width * ratio)
    low, high = min(part.scale[0], bound), min(part.scale[1], bound)
    area = width * height * (low + (high - low) * next(numbers))
    box_width = min(max(1, int(math.sqrt(area * ratio))), width)
    box_height = min(max(1, int(math.sqrt(area / ratio))), height)
    return _place(width, height, box_width, box_height, numbers)


def _place(
    width: int, height: int, box_width: int, box_height: int, numbers: Iterator[float]
) -> Box:
    left = int(next(numbers) * (width - box_width + 1))
    top = int(next(numbers) * (height - box_height + 1))
    return Box(left, top, box_width, box_height)


def _central_box(width: int, height: int, part: CropPart) -> Box:
    box_width, box_height = width, height
    if width / height < part.ratio[0]:
        box_height = max(1, round(width / part.ratio[0]))
    elif width / height > part.ratio[1]:
        box_width = max(1, round(height * part.ratio[1]))
    return Box((width - box_width) // 2, (height - box_height) // 2, box_width, box_height)
