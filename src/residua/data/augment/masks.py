"""What erasing hides, by the batch: parameters out of random words, then masks out of parameters.

The parameters are drawn with numpy, the same on every machine; the masks (bool [N, H, W], true
where a picture is hidden) are made of them on the device. Pixels in settings are those of a
picture of 224; other sizes scale them. Each function takes words of ``draws.bits`` as numbers in
[0, 1): float64 [N, …].
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from residua.data.settings import ErasePart

_SIDE = 224  # pixels, of the pictures that settings speak of
_ATTEMPTS = 10

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Of each row: the period, the side of a hidden square and where it begins (all pixels).

    ``angles`` in radians turn the grid about the middle of the picture.
    """

    periods: NDArray[np.int64]
    sides: NDArray[np.int64]
    starts: NDArray[np.int64]  # [N, 2]: across, down
    angles: Numbers


@dataclass(frozen=True, slots=True)
class Cells:
    """Of each row: the side of its cells in pixels, and which of them [down, across] are hidden."""

    sides: NDArray[np.int64]
    hidden: NDArray[np.bool_]  # [N, down, across]


def count_numbers(part: ErasePart, width: int, height: int) -> int:
    """Return how many numbers a picture needs."""
    match part.kind:
        case "erasing":
            return 2 * _ATTEMPTS + 2
        case "cutout":
            return 2 * part.holes
        case "gridmask":
            return 4
        case "hideandseek":
            down, across = _count_cells(part, width, height)
            return 1 + down * across
        case "none":
            return 0


def make_mask(
    part: ErasePart, numbers: Numbers, width: int, height: int, device: torch.device
) -> Tensor:
    """Return what is hidden of pictures with these ``numbers``: bool [N, H, W] on ``device``."""
    match part.kind:
        case "erasing":
            return cover_boxes(draw_rectangles(part, numbers, width, height), width, height, device)
        case "cutout":
            return cover_boxes(draw_squares(part, numbers, width, height), width, height, device)
        case "gridmask":
            return cover_grid(draw_grid(part, numbers, width, height), width, height, device)
        case "hideandseek":
            return cover_cells(draw_cells(part, numbers, width, height), width, height, device)
        case "none":
            return torch.zeros((len(numbers), height, width), dtype=torch.bool, device=device)


def draw_rectangles(
    part: ErasePart, numbers: Numbers, width: int, height: int
) -> NDArray[np.int64]:
    """Return a box (left, top, right, bottom) a picture: int64 [N, 1, 4].

    Random erasing (arXiv 1708.04896, algorithm 1): area and ratio of height to width are drawn
    until a box fits, ten times at most, then its place within the picture, as in the authors' code;
    a picture for which none fits keeps all its pixels.
    """
    tries = numbers[:, : 2 * _ATTEMPTS].reshape(-1, _ATTEMPTS, 2)
    areas = width * height * (part.area[0] + (part.area[1] - part.area[0]) * tries[..., 0])
    low, high = part.ratio
    if part.rule == "paddle":
        ratios = low + (high - low) * tries[..., 1]
    else:
        ratios = np.exp(np.log(low) + np.log(high / low) * tries[..., 1])
    heights = np.rint(np.sqrt(areas * ratios)).astype(np.int64)
    widths = np.rint(np.sqrt(areas / ratios)).astype(np.int64)
    fits = (heights < height) & (widths < width)
    rows, first = np.arange(len(numbers)), fits.argmax(axis=1)
    box_width = np.where(fits.any(axis=1), widths[rows, first], 0)
    box_height = np.where(fits.any(axis=1), heights[rows, first], 0)
    left = (numbers[:, -2] * (width - box_width + 1)).astype(np.int64)
    top = (numbers[:, -1] * (height - box_height + 1)).astype(np.int64)
    return np.stack((left, top, left + box_width, top + box_height), axis=-1)[:, None]


def draw_squares(part: ErasePart, numbers: Numbers, width: int, height: int) -> NDArray[np.int64]:
    """Return the squares of each picture, as far as they lie in it: int64 [N, holes, 4].

    Cutout (arXiv 1708.04552, section 3.2): the centre is any pixel, so that some stick out.
    """
    side = max(1, round(part.size * min(width, height) / _SIDE))
    limits = np.array([width, height])
    centres = (numbers.reshape(-1, part.holes, 2) * limits).astype(np.int64)
    starts = centres - side // 2
    return np.concatenate((np.maximum(starts, 0), np.minimum(starts + side, limits)), axis=-1)


def draw_grid(part: ErasePart, numbers: Numbers, width: int, height: int) -> Grid:
    """Return the grid of each picture. GridMask (arXiv 2001.04086, section 3.1)."""
    low, high = part.grid
    drawn = low + (numbers[:, 0] * (high - low + 1)).astype(np.int64)
    periods = np.maximum(2, np.rint(drawn * min(width, height) / _SIDE)).astype(np.int64)
    # Squares that leave the share ``keep``: side² = (1 - keep) period².
    sides = np.rint(periods * np.sqrt(1 - part.keep)).astype(np.int64)
    starts = (numbers[:, 1:3] * periods[:, None]).astype(np.int64)
    return Grid(periods, sides, starts, np.radians(numbers[:, 3] * part.rotate))


def draw_cells(part: ErasePart, numbers: Numbers, width: int, height: int) -> Cells:
    """Return the cells of each picture. Hide-and-Seek (arXiv 1811.02545, section 3.1).

    A size is drawn from ``cells``, then every cell is hidden or not.
    """
    sizes = np.array([_scale_cell(cell, width, height) for cell in part.cells])
    sides = sizes[(numbers[:, 0] * len(sizes)).astype(np.int64)]
    down, across = _count_cells(part, width, height)
    hidden = (numbers[:, 1:] < part.hide).reshape(-1, down, across)
    return Cells(np.maximum(sides, 1), hidden & (sides > 0)[:, None, None])


def cover_boxes(boxes: NDArray[np.int64], width: int, height: int, device: torch.device) -> Tensor:
    """Return what the boxes of each picture (int64 [N, K, 4]) cover: bool [N, H, W]."""
    left, top, right, bottom = torch.from_numpy(boxes).to(device, non_blocking=True).unbind(-1)
    across, down = torch.arange(width, device=device), torch.arange(height, device=device)
    wide = (across >= left[..., None]) & (across < right[..., None])  # [N, K, W]
    high = (down >= top[..., None]) & (down < bottom[..., None])  # [N, K, H]
    return (high[..., None] & wide[..., None, :]).any(dim=1)


def cover_grid(grid: Grid, width: int, height: int, device: torch.device) -> Tensor:
    """Return what the squares of each grid cover: bool [N, H, W]."""
    turn = np.stack((np.cos(grid.angles), np.sin(grid.angles)), axis=-1).astype(np.float32)
    cos, sin = torch.from_numpy(turn).to(device, non_blocking=True).unbind(-1)
    whole = np.column_stack((grid.periods, grid.sides, grid.starts)).astype(np.float32)
    period, side, start_x, start_y = (
        torch.from_numpy(whole).to(device, non_blocking=True)[:, :, None, None].unbind(1)
    )
    cos, sin = cos[:, None, None], sin[:, None, None]
    # Middles of pixels, counted from the middle of the picture.
    across = torch.arange(width, device=device) + 0.5 - width / 2
    down = (torch.arange(height, device=device) + 0.5 - height / 2)[:, None]
    turned_x = cos * across - sin * down + width / 2 - start_x
    turned_y = sin * across + cos * down + height / 2 - start_y
    return (turned_x.remainder(period) < side) & (turned_y.remainder(period) < side)


def cover_cells(cells: Cells, width: int, height: int, device: torch.device) -> Tensor:
    """Return what the hidden cells of each picture cover: bool [N, H, W]."""
    sides = torch.from_numpy(cells.sides).to(device, non_blocking=True)[:, None]
    hidden = torch.from_numpy(cells.hidden).to(device, non_blocking=True)
    across = torch.arange(width, device=device) // sides  # [N, W]
    down = torch.arange(height, device=device) // sides
    # A picture without hiding has cells of one pixel, of which the table has too few.
    across = across.clamp(max=hidden.shape[2] - 1)
    down = down.clamp(max=hidden.shape[1] - 1)
    rows = torch.arange(len(hidden), device=device)
    found: Tensor = hidden[rows[:, None, None], down[:, :, None], across[:, None, :]]
    return found


def _scale_cell(cell: int, width: int, height: int) -> int:
    return max(1, round(cell * min(width, height) / _SIDE)) if cell else 0


def _count_cells(part: ErasePart, width: int, height: int) -> tuple[int, int]:
    """Return the cells of the smallest size: down and across."""
    sizes = [_scale_cell(cell, width, height) for cell in part.cells if cell]
    smallest = min(sizes, default=max(width, height))
    return -(-height // smallest), -(-width // smallest)
