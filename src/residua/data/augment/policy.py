"""Policies: which operations a picture gets, and how strong, out of random numbers.

AutoAugment (arXiv 1805.09501), RandAugment (1909.13719), TrivialAugment (2103.10158) and AugMix
(1912.02781). AugMix makes one picture; its consistency loss, which wants three, is not here.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from residua.data.augment.autoaugment import TABLES
from residua.data.augment.operations import Ground, Picture, operate
from residua.data.augment.scales import AUGMIX, RANGES, TORCHVISION, TRIVIAL, Scale
from residua.data.draws import draw_gamma, draw_normal
from residua.data.settings import PolicyPart
from residua.pixels.resize import Interpolation

_T = TypeVar("_T")
_LAST_BIN = 9  # of AutoAugment's magnitudes
_BINS = 31  # of TrivialAugment's
_LONGEST = 3  # operations in a chain of AugMix
_LEAST = 0.1  # of AugMix's magnitudes, of 10


def apply_policy(
    picture: Picture,
    part: PolicyPart,
    numbers: Iterator[float],
    *,
    interpolation: Interpolation,
    mean: Sequence[float],
) -> Picture:
    """Return the picture (uint8 [H, W, C]) after the policy that ``numbers`` in [0, 1) choose.

    ``mean`` (0…1, of each channel) is the colour that timm fills with beyond the edges.
    """
    if part.chance < 1 and next(numbers) >= part.chance:
        return picture
    match part.kind:
        case "none":
            return picture
        case "autoaugment":
            ground = _choose_ground(TORCHVISION, picture, interpolation, mean)
            return _auto(picture, part, numbers, ground)
        case "randaugment":
            ground = _choose_ground(RANGES[part.ranges], picture, interpolation, mean)
            return _rand(picture, part, numbers, ground)
        case "trivialaugment":
            ground = _choose_ground(TRIVIAL, picture, interpolation, mean)
            name = _choose(TRIVIAL.operations, numbers)
            share = int(next(numbers) * _BINS) / (_BINS - 1)
            return _apply(picture, name, share, TRIVIAL, numbers, ground)
        case "augmix":
            return _augmix(
                picture, part, numbers, _choose_ground(AUGMIX, picture, interpolation, mean)
            )


def _auto(picture: Picture, part: PolicyPart, numbers: Iterator[float], ground: Ground) -> Picture:
    for name, probability, magnitude in _choose(TABLES[part.table], numbers):
        if next(numbers) < probability:
            share = magnitude / _LAST_BIN
            picture = _apply(picture, name, share, TORCHVISION, numbers, ground)
    return picture


def _rand(picture: Picture, part: PolicyPart, numbers: Iterator[float], ground: Ground) -> Picture:
    scale = RANGES[part.ranges]
    for _ in range(part.layers):
        name = _choose(scale.operations, numbers)
        if next(numbers) < part.probability:
            magnitude = part.magnitude
            if part.magnitude_std:
                magnitude += part.magnitude_std * draw_normal(numbers)
            share = min(max(magnitude / scale.top, 0.0), 1.0)
            picture = _apply(picture, name, share, scale, numbers, ground)
    return picture


def _augmix(
    picture: Picture, part: PolicyPart, numbers: Iterator[float], ground: Ground
) -> Picture:
    """Mix the picture with the mixture of its chains; the weights are of a Beta and a Dirichlet."""
    blend, lengths = _draw_weights(part, numbers)
    total = sum(lengths) or 1.0
    mixed = picture * np.float32(1 - blend)
    for length in lengths:
        chain = picture
        for _ in range(part.depth or 1 + int(next(numbers) * _LONGEST)):
            name = _choose(AUGMIX.operations, numbers)
            share = (_LEAST + (part.severity - _LEAST) * next(numbers)) / AUGMIX.top
            chain = _apply(chain, name, share, AUGMIX, numbers, ground)
        mixed += chain * np.float32(blend * length / total)
    rounded: Picture = np.rint(mixed).astype(np.uint8)
    return rounded


def _draw_weights(part: PolicyPart, numbers: Iterator[float]) -> tuple[float, list[float]]:
    """Return how much of AugMix's mixture shows, and the weights of its chains before their sum.

    Numbers of Gamma(a) over their sum are Dirichlet(a, …, a); of Gamma(1) they are exponential.
    """
    if part.concentration == 1:
        blend = next(numbers)
        return blend, [-math.log(1 - next(numbers)) for _ in range(part.chains)]
    first, second = (draw_gamma(part.concentration, numbers) for _ in range(2))
    blend = first / (first + second) if first + second else 0.5
    return blend, [draw_gamma(part.concentration, numbers) for _ in range(part.chains)]


def _apply(
    picture: Picture,
    name: str,
    share: float,
    scale: Scale,
    numbers: Iterator[float],
    ground: Ground,
) -> Picture:
    sign = -1 if next(numbers) < 0.5 else 1
    side = picture.shape[0] if name == "translate-y" else picture.shape[1]
    return operate(name, picture, scale.value(name, share, sign, side), ground)


def _choose(options: Sequence[_T], numbers: Iterator[float]) -> _T:
    return options[int(next(numbers) * len(options))]


def _choose_ground(
    scale: Scale, picture: Picture, interpolation: Interpolation, mean: Sequence[float]
) -> Ground:
    colours = 1 if picture.shape[2] == 1 else 3
    match scale.fill:
        case "black":
            fill = (0,) * colours
        case "grey":
            fill = (128,) * colours
        case "mean":
            fill = tuple(min(255, round(255 * value)) for value in mean[:colours])
    return Ground(interpolation, fill)
