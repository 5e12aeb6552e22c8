"""Crops against the distributions that the rule of torchvision's RandomResizedCrop prescribes."""

import math
from itertools import repeat

import numpy as np
import pytest

from residua.data.crop import Box, CropRule, choose_box, draw_crop


def _distance(values, low, high):
    """Kolmogorov's distance of ``values`` to the uniform distribution, times sqrt(n)."""
    scaled = (np.sort(values) - low) / (high - low)
    return np.abs(scaled - (np.arange(len(values)) + 0.5) / len(values)).max() * math.sqrt(
        len(values)
    )


def _boxes(width, height, rule, count=4000):
    return [
        draw_crop(width, height, rule, seed=0, epoch=0, index=index)[0] for index in range(count)
    ]


def test_area_ratio_and_place_are_distributed_as_the_rule_says():
    # Up to half of a square every first attempt fits, so that nothing bends the distributions.
    boxes = _boxes(4000, 4000, CropRule(scale=(0.1, 0.5)))
    areas = np.array([box.width * box.height for box in boxes]) / 4000**2
    ratios = np.log([box.width / box.height for box in boxes])
    places = np.array([box.left / (4000 - box.width) for box in boxes])
    for values, low, high in (
        (areas, 0.1, 0.5),
        (ratios, math.log(3 / 4), math.log(4 / 3)),
        (places, 0, 1),
    ):
        assert _distance(values, low, high) < 1.95  # in 999 of 1000 cases


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 500), (500, 3), (32, 32), (640, 427)])
def test_boxes_lie_inside(width, height):
    for box in _boxes(width, height, CropRule(), count=300):
        left, top, right, bottom = box.edges
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        # Where no attempt fits: the largest central crop of an allowed ratio, by hand.
        (10, 1000, Box(left=0, top=493, width=10, height=13)),
        (1000, 10, Box(left=493, top=0, width=13, height=10)),
    ],
)
def test_extreme_pictures_get_a_central_crop(width, height, expected):
    rule = CropRule(scale=(0.9, 1.0))
    assert choose_box(width, height, rule, repeat(0.5)) == expected


def test_a_picture_of_allowed_ratio_is_taken_whole_where_no_attempt_fits():
    # A ratio of 4/3 at the full area does not fit into a square.
    numbers = repeat(1 - 1e-12)
    assert choose_box(100, 100, CropRule(scale=(1.0, 1.0)), numbers) == Box(0, 0, 100, 100)


def test_the_first_attempt_by_hand():
    numbers = iter([0.0, 0.5, 0.25, 0.75])
    # Area 0.25 of 100 x 100, ratio exp(0) = 1: 50 x 50 at floor(0.25 * 51), floor(0.75 * 51).
    assert choose_box(100, 100, CropRule(scale=(0.25, 1.0)), numbers) == Box(12, 38, 50, 50)


def test_mirroring_has_its_chance():
    rule = CropRule(flip=0.3)
    flips = [draw_crop(9, 9, rule, seed=0, epoch=0, index=index)[1] for index in range(4000)]
    assert abs(np.mean(flips) - 0.3) < 0.03
    assert not any(
        draw_crop(9, 9, CropRule(flip=0.0), seed=0, epoch=0, index=index)[1] for index in range(99)
    )
