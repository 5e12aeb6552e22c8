"""What erasing hides, against the definitions of the papers, painted pixel by pixel."""

import numpy as np
import pytest
import torch

from residua.data.augment.masks import (
    Grid,
    count_numbers,
    cover_boxes,
    cover_cells,
    cover_grid,
    draw_cells,
    draw_grid,
    draw_rectangles,
    draw_squares,
    make_mask,
)
from residua.data.settings import ErasePart

_CPU = torch.device("cpu")


def _numbers(part, count, size=224, seed=0):
    return np.random.default_rng(seed).random((count, count_numbers(part, size, size)))


def _distance(values, low, high):
    """Kolmogorov's distance of ``values`` to the uniform distribution, times sqrt(n)."""
    scaled = (np.sort(values) - low) / (high - low)
    return np.abs(scaled - (np.arange(len(values)) + 0.5) / len(values)).max() * len(values) ** 0.5


@pytest.mark.parametrize(
    ("rule", "spread"), [("torchvision", np.log), ("paddle", lambda ratio: ratio)]
)
def test_rectangles_have_the_area_ratio_and_place_of_the_rule(rule, spread):
    # Such small ones always fit at once, so that nothing bends the distributions.
    part = ErasePart(kind="erasing", area=(0.02, 0.1), ratio=(0.5, 2.0), rule=rule)
    boxes = draw_rectangles(part, _numbers(part, 4000), 2000, 2000)
    left, top, right, bottom = np.moveaxis(boxes[:, 0], -1, 0)
    width, height = right - left, bottom - top
    assert boxes.min() >= 0
    assert boxes.max() <= 2000
    for values, low, high in (
        (width * height / 2000**2, 0.02, 0.1),
        (spread(height / width), spread(0.5), spread(2.0)),
        (left / (2000 - width), 0, 1),
        (top / (2000 - height), 0, 1),
    ):
        assert _distance(values, low, high) < 1.95  # in 999 of 1000 cases


def test_the_first_attempt_that_fits_counts_and_none_hides_nothing():
    part = ErasePart(kind="erasing", area=(0.25, 1.0), ratio=(1.0, 1.0))
    numbers = np.full((2, 22), 0.999999)  # the whole area, which is not below the picture's
    numbers[0, 4] = 0.0  # third attempt: a quarter, 50 x 50
    numbers[0, -2:] = 0.5, 0.0  # floor(0.5 * 51) = 25
    boxes = draw_rectangles(part, numbers, 100, 100)
    assert boxes[0].tolist() == [[25, 0, 75, 50]]
    mask = cover_boxes(boxes, 100, 100, _CPU)
    assert mask[0].sum() == 2500
    assert mask[0, :50, 25:75].all()
    assert not mask[1].any()


@pytest.mark.parametrize(("size", "side"), [(224, 112), (32, 16), (33, 16), (160, 80)])
def test_cutout_is_a_square_about_any_pixel_cut_at_the_border(size, side):
    part = ErasePart(kind="cutout", size=112, holes=2)
    numbers = _numbers(part, 30, size)
    mask = make_mask(part, numbers, size, size, _CPU).numpy()
    for row, drawn in enumerate(numbers):
        expected = np.zeros((size, size), bool)
        for hole in drawn.reshape(2, 2):
            across, down = (hole * size).astype(int)
            for y in range(max(0, down - side // 2), min(size, down - side // 2 + side)):
                for x in range(max(0, across - side // 2), min(size, across - side // 2 + side)):
                    expected[y, x] = True
        np.testing.assert_array_equal(mask[row], expected)


def test_the_area_of_cutout_is_that_of_all_centres():
    part = ErasePart(kind="cutout", size=112)
    boxes = draw_squares(part, _numbers(part, 6000), 224, 224)[:, 0]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    # Along one side: 112 pixels but for the 56 centres next to either edge, which lose 1 … 56
    # before it and 0 … 55 behind it. (224 * 112 - 56 * 57 / 2 - 55 * 56 / 2) / 224 = 98.
    assert areas.mean() == pytest.approx(98**2, rel=0.02)
    assert areas.max() == 112**2
    assert areas.min() < 60**2


@pytest.mark.parametrize("size", [64, 65])
def test_gridmask_without_a_turn_is_painted_squares(size):
    grid = Grid(
        np.array([20, 31, 64]), np.array([10, 7, 50]), np.array([[3, 17], [0, 30], [5, 63]]),
        np.zeros(3),
    )  # fmt: skip
    mask = cover_grid(grid, size, size, _CPU).numpy()
    for row in range(3):
        expected = np.zeros((size, size), bool)
        period, side, (across, down) = grid.periods[row], grid.sides[row], grid.starts[row]
        for top in range(down - 2 * period, size, period):
            for left in range(across - 2 * period, size, period):
                expected[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 1
        np.testing.assert_array_equal(mask[row], expected)


def test_gridmask_turns_about_the_middle():
    def cover(degrees):
        grid = Grid(np.array([24]), np.array([11]), np.array([[4, 9]]), np.radians([degrees]))
        return cover_grid(grid, 64, 64, _CPU)[0].numpy()

    # Quarter turns move the middles of pixels onto each other.
    turned = {quarter: np.rot90(cover(0), quarter) for quarter in (1, 2, 3)}
    for quarter in (1, 2, 3):
        agreement = [np.mean(cover(90 * quarter) == turned[other]) for other in (1, 2, 3)]
        assert max(agreement) > 0.999
    assert np.mean(cover(180) == turned[2]) > 0.999
    assert 0.5 < np.mean(cover(30) == cover(0)) < 0.9


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.84])
@pytest.mark.parametrize("rotate", [0.0, 360.0])
def test_gridmask_keeps_its_share(keep, rotate):
    part = ErasePart(kind="gridmask", keep=keep, rotate=rotate)
    mask = make_mask(part, _numbers(part, 400, size=112), 112, 112, _CPU)
    assert 1 - mask.float().mean().item() == pytest.approx(keep, abs=0.015)


def test_gridmask_draws_what_the_paper_draws():
    part = ErasePart(kind="gridmask", keep=0.75)
    grid = draw_grid(part, _numbers(part, 20_000), 224, 224)
    counts = np.bincount(grid.periods - 96, minlength=129)
    assert len(counts) == 129  # 96 … 224
    # Chi-square of 128 degrees of freedom: 182 in one of 1000 cases.
    assert ((counts - 20_000 / 129) ** 2 / (20_000 / 129)).sum() < 182
    np.testing.assert_array_equal(grid.sides, np.rint(grid.periods / 2))  # r of the paper: 0.5
    assert (grid.starts >= 0).all()
    assert (grid.starts < grid.periods[:, None]).all()
    assert _distance(grid.angles, 0, 2 * np.pi) < 1.95
    half = draw_grid(part, np.zeros((1, 4)), 112, 112)
    assert (half.periods[0], half.sides[0]) == (48, 24)


def test_hide_and_seek_hides_half_of_the_cells_of_one_size():
    part = ErasePart(kind="hideandseek")
    numbers = _numbers(part, 1000)
    cells = draw_cells(part, numbers, 224, 224)
    mask = cover_cells(cells, 224, 224, _CPU).numpy()
    drawn = (numbers[:, 0] * 5).astype(int)
    counts = np.bincount(drawn, minlength=5)
    assert ((counts - 200) ** 2 / 200).sum() < 18.5  # chi-square of 4: one in 1000
    for number, side in enumerate((0, 16, 32, 44, 56)):
        masks = mask[drawn == number]
        if side == 0:
            assert not masks.any()
            continue
        for top in range(0, 224, side):
            for left in range(0, 224, side):
                block = masks[:, top : top + side, left : left + side]
                assert (block == block[:, :1, :1]).all()
        assert masks.mean() == pytest.approx(0.5, abs=0.03)
        # Neighbouring cells do not know of each other.
        first, second = masks[:, 0, 0], masks[:, 0, side]
        assert abs(np.mean(first == second) - 0.5) < 0.15


@pytest.mark.parametrize(("width", "height"), [(224, 224), (96, 96), (50, 31)])
def test_hide_and_seek_scales_with_the_picture(width, height):
    part = ErasePart(kind="hideandseek", cells=(56,), hide=0.3)
    numbers = np.random.default_rng(0).random((500, count_numbers(part, width, height)))
    mask = make_mask(part, numbers, width, height, _CPU)
    assert mask.shape == (500, height, width)
    assert mask.float().mean().item() == pytest.approx(0.3, abs=0.03)
    cells = draw_cells(part, numbers, width, height)
    assert (cells.sides == round(56 * min(width, height) / 224)).all()


def test_nothing_to_hide():
    part = ErasePart(kind="hideandseek", cells=(0,))
    assert not make_mask(part, _numbers(part, 5), 224, 224, _CPU).any()
    assert not make_mask(ErasePart(), np.zeros((2, 0)), 8, 8, _CPU).any()
    for keep, hidden in ((1.0, False), (0.0, True)):
        part = ErasePart(kind="gridmask", keep=keep)
        assert make_mask(part, _numbers(part, 3), 64, 64, _CPU).eq(hidden).all()
