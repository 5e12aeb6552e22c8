"""Crops against the distributions that the rules of torchvision and PaddleClas prescribe."""

import math
from itertools import repeat

import numpy as np
import pytest

from residua.data.augment.crop import (
    Box,
    choose_box,
    choose_fitting_box,
    draw_box,
    draw_flip,
    draw_shift,
    shift,
)
from residua.data.settings import CropPart


def _distance(values, low, high):
    """Kolmogorov's distance of ``values`` to the uniform distribution, times sqrt(n)."""
    scaled = (np.sort(values) - low) / (high - low)
    return np.abs(scaled - (np.arange(len(values)) + 0.5) / len(values)).max() * math.sqrt(
        len(values)
    )


def _boxes(width, height, part, count=4000):
    return [
        draw_box(width, height, part, seed=0, epoch=0, ticket=ticket) for ticket in range(count)
    ]


@pytest.mark.parametrize(
    ("rule", "spread"), [("torchvision", np.log), ("paddle", lambda ratio: ratio)]
)
def test_area_ratio_and_place_are_distributed_as_the_rule_says(rule, spread):
    # Up to half of a square every crop fits, so that nothing bends the distributions.
    boxes = _boxes(4000, 4000, CropPart(scale=(0.1, 0.5), rule=rule))
    areas = np.array([box.width * box.height for box in boxes]) / 4000**2
    ratios = spread(np.array([box.width / box.height for box in boxes]))
    places = np.array([box.left / (4000 - box.width) for box in boxes])
    for values, low, high in (
        (areas, 0.1, 0.5),
        (ratios, spread(3 / 4), spread(4 / 3)),
        (places, 0, 1),
    ):
        assert _distance(values, low, high) < 1.95  # in 999 of 1000 cases


@pytest.mark.parametrize("rule", ["torchvision", "paddle"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 500), (500, 3), (32, 32), (640, 427)])
def test_boxes_lie_inside(rule, width, height):
    for box in _boxes(width, height, CropPart(rule=rule), count=300):
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
    part = CropPart(scale=(0.9, 1.0))
    assert choose_box(width, height, part, repeat(0.5)) == expected


def test_a_picture_of_allowed_ratio_is_taken_whole_where_no_attempt_fits():
    # A ratio of 4/3 at the full area does not fit into a square.
    numbers = repeat(1 - 1e-12)
    assert choose_box(100, 100, CropPart(scale=(1.0, 1.0)), numbers) == Box(0, 0, 100, 100)


def test_the_first_attempt_by_hand():
    numbers = iter([0.0, 0.5, 0.25, 0.75])
    # Area 0.25 of 100 x 100, ratio exp(0) = 1: 50 x 50 at floor(0.25 * 51), floor(0.75 * 51).
    assert choose_box(100, 100, CropPart(scale=(0.25, 1.0)), numbers) == Box(12, 38, 50, 50)


def test_paddles_rule_by_hand():
    part = CropPart(scale=(0.08, 1.0), rule="paddle")
    # Ratio 0.75 + 0.5 * 7/12 = 25/24 in 200 x 100; at most (100 / 200) * 25/24 = 25/48 of it fits.
    # Half way from 0.08 to that is 0.3004167 * 20000 = 6008.3: 79.11 x 75.95, cut to whole pixels.
    box = choose_fitting_box(200, 100, part, iter([0.5, 0.5, 0.0, 0.999999]))
    assert box == Box(left=0, top=25, width=79, height=75)


def test_paddles_rule_narrows_both_ends_where_nothing_else_fits():
    # A strip of 1000 x 10: a ratio of 1 allows 1 % of it, less than the least of 8 %.
    part = CropPart(ratio=(1.0, 1.0), rule="paddle")
    for box in _boxes(1000, 10, part, count=50):
        assert (box.width, box.height) in {(10, 10), (9, 9)}  # the root of 99.99… is cut off


def test_draws_depend_on_the_rule_and_the_keys():
    part = CropPart()
    first = draw_box(640, 427, part, seed=1, epoch=2, ticket=3)
    assert first == draw_box(640, 427, part, seed=1, epoch=2, ticket=3)
    others = [
        draw_box(640, 427, part, seed=1, epoch=2, ticket=4),
        draw_box(640, 427, part, seed=1, epoch=3, ticket=3),
        draw_box(640, 427, part, seed=2, epoch=2, ticket=3),
        draw_box(640, 427, CropPart(rule="paddle"), seed=1, epoch=2, ticket=3),
    ]
    assert first not in others


def test_shifts_are_uniform_and_independent():
    """Chi-squared of all 81 places of a padding of 4: 80 degrees of freedom."""
    places = [draw_shift(4, seed=3, epoch=1, ticket=ticket) for ticket in range(16200)]
    counts = np.zeros((9, 9))
    for left, top in places:
        counts[top, left] += 1
    assert ((counts - 200) ** 2 / 200).sum() < 124.8  # in 999 of 1000 cases
    assert draw_shift(4, seed=3, epoch=1, ticket=7) == places[7]
    assert draw_shift(4, seed=3, epoch=2, ticket=7) != places[7]


@pytest.mark.parametrize("padding", [1, 4])
def test_what_a_shift_brings_in_is_black_and_the_rest_is_moved(padding):
    picture = np.random.default_rng(0).integers(1, 256, (6, 7, 3), dtype=np.uint8)
    for left in range(2 * padding + 1):
        for top in range(2 * padding + 1):
            found = shift(picture, padding, (left, top))
            assert found.shape == picture.shape
            for y, x in np.ndindex(6, 7):
                row, column = y + top - padding, x + left - padding
                inside = 0 <= row < 6 and 0 <= column < 7
                assert (found[y, x] == (picture[row, column] if inside else 0)).all()


def test_mirroring_has_its_chance():
    flips = [draw_flip(0.3, seed=0, epoch=0, ticket=ticket) for ticket in range(4000)]
    assert abs(np.mean(flips) - 0.3) < 0.03
    assert not any(draw_flip(0.0, seed=0, epoch=0, ticket=ticket) for ticket in range(99))
    assert all(draw_flip(1.0, seed=0, epoch=0, ticket=ticket) for ticket in range(99))
