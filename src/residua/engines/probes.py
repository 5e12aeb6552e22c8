"""Crops made by rule, the same on every machine: what artefacts and engines are compared on.

They are no photos, but they leave no part of a network idle: flat colours show a wrong order of
channels, mean or spread; gradients and single-pixel patterns a shifted or wrongly rounded layer;
blobs and noise move every layer's values. Only integers are computed with, so that the answers of
the reference network can be kept in a bundle and hold elsewhere.
"""

import numpy as np

from residua.bundle.schema import Preprocess

# Counts changes of the probes: answers kept of earlier ones are then made again.
EDITION = 1


def make_probes(preprocess: Preprocess) -> np.ndarray:
    """Return uint8 [17, crop, crop, 3] for a classifier of colours, fewer for one of grey."""
    side, channels = preprocess.crop_size, preprocess.channels
    flat = [np.full((side, side, channels), value, np.uint8) for value in (0, 255, 128)]
    pure = []
    for channel in range(channels):
        picture = np.zeros((side, side, channels), np.uint8)
        picture[:, :, channel] = 255
        pure.append(picture)
    rows, columns = np.indices((side, side))
    ramps = [rows * 255 // max(side - 1, 1), columns * 255 // max(side - 1, 1)]
    fine = [((rows + columns) % 2) * 255]
    plain = [
        np.repeat(values[:, :, None], channels, 2).astype(np.uint8) for values in (*ramps, *fine)
    ]
    noise = [_draw(seed, side, side, channels) for seed in (1, 2)]
    blobs = [
        _enlarge(_draw(10 + index, grid, grid, channels), side, side)
        for index, grid in enumerate((3, 5, 8, 13, 21, 34))
    ]
    return np.stack([*flat, *pure, *plain, *noise, *blobs])


def make_image_probes(preprocess: Preprocess) -> tuple[np.ndarray, ...]:
    """Return whole pictures for graphs that resize and crop: batches uint8 [N, H, W, C].

    Each batch is of one size: to be reduced, enlarged, left as it is, lying, standing, and so high
    that Pillow resizes vertically first. Odd sides and remainders show a wrong rounding, noise and
    checks a resize without antialiasing, colours a wrong order of channels.
    """
    side, channels = preprocess.short_side, preprocess.channels
    sizes = [
        (side * 3 // 2 + 1, side * 2 + 3),
        (side * 2 + 5, side * 4 // 3 + 2),
        (side * 3 + 1, side * 5 // 4),
        (side // 5 + 2, side // 4 + 4),
        (side // 3 + 3, side // 3 + 2),
        (side, side + 9),
    ]
    batches = []
    for index, (height, width) in enumerate(sizes):
        rows, columns = np.indices((height, width))
        checks = np.repeat((((rows + columns) % 2) * 255)[:, :, None], channels, 2)
        noise = _draw(20 + index, height, width, channels)
        blobs = [
            _enlarge(_draw(30 + 8 * index + grid, grid, grid, channels), height, width)
            for grid in (3, 7)
        ]
        batches.append(np.stack([checks.astype(np.uint8), noise, *blobs]))
    pure = np.zeros((channels, *sizes[0], channels), np.uint8)
    for channel in range(channels):
        pure[channel, :, :, channel] = 255
    return (*batches, pure)


def _draw(seed: int, *shape: int) -> np.ndarray:
    """Return uint8 noise: the top byte of SplitMix64 (Steele et al. 2014) at each position."""
    z = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) + np.uint64(seed << 32)
    z *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    z >>= np.uint64(56)
    return z.astype(np.uint8).reshape(shape)


def _enlarge(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return ``grid`` [g, g, C] at height x width, bilinear, in integers of 1/256 pixel."""

    def divide(side: int) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(side) * (len(grid) - 1) * 256 // max(side - 1, 1)
        low = np.minimum(steps >> 8, len(grid) - 2)
        return low, steps - (low << 8)

    values = grid.astype(np.int64)
    low, part = divide(height)
    part = part[:, None, None]
    tall = values[low] * (256 - part) + values[low + 1] * part  # [height, g, C]
    low, part = divide(width)
    part = part[None, :, None]
    wide: np.ndarray = tall[:, low] * (256 - part) + tall[:, low + 1] * part
    return (wide >> 16).astype(np.uint8)
