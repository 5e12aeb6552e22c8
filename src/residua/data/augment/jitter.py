"""Colour jitter: brightness, contrast, saturation and hue at random strengths in random order."""

from collections.abc import Iterator

from residua.data.augment.operations import (
    Picture,
    change_brightness,
    change_colours,
    change_contrast,
    change_saturation,
    turn_hue,
)
from residua.data.settings import JitterPart

_CHANGES = (change_brightness, change_contrast, change_saturation, turn_hue)


def jitter(picture: Picture, part: JitterPart, numbers: Iterator[float]) -> Picture:
    """Return the picture (uint8 [H, W, C]) with the colours that ``numbers`` in [0, 1) choose.

    As torchvision's ``ColorJitter``: a factor is uniform in 1 ± strength, but not below 0, the hue
    turns by a share of the circle uniform in ± strength, and what has no strength is left out.
    """
    strengths = (part.brightness, part.contrast, part.saturation, part.hue)
    if not any(strengths) or next(numbers) >= part.probability:
        return picture
    places = [next(numbers) for _ in strengths]
    for kind in sorted(range(len(strengths)), key=places.__getitem__):
        strength = strengths[kind]
        if strength:
            middle = 0.0 if kind == 3 else 1.0
            low = -strength if kind == 3 else max(0.0, 1 - strength)
            value = low + (middle + strength - low) * next(numbers)
            picture = change_colours(picture, _CHANGES[kind], value)
    return picture
