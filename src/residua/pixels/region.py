"""Pillow's resampling for a part of the result, where the whole would be absurdly large.

A strip of 10 x 60,000 pixels whose short side becomes 256 would take 400 million pixels, of which
the centre crop keeps 50,000. Pillow cannot be asked for those alone: its ``box`` is of single
precision. So its algorithm is repeated here for the wanted columns and rows: weights in double
precision, rounded to 22 bits, the horizontal pass rounded to 8 bits before the vertical one
(Pillow, src/libImaging/Resample.c). The result is equal bit for bit; it takes about ten times as
long a pixel.
"""

import numpy as np
from PIL import Image

from residua.pixels.resize import Interpolation

_PRECISION = 32 - 8 - 2


def resize_region(
    image: Image.Image,
    size: tuple[int, int],
    region: tuple[int, int, int, int],
    interpolation: Interpolation,
) -> Image.Image:
    """Return the ``region`` (left, top, right, bottom) of ``image`` resized to ``size``.

    The region lies within the resized picture. Modes L, RGB and RGBA; the last is resampled with
    colours multiplied by alpha, as Pillow does it.
    """
    if image.mode == "RGBA":
        return resize_region(image.convert("RGBa"), size, region, interpolation).convert("RGBA")
    left, top, right, bottom = region
    columns, column_weights = _weigh(image.width, size[0], left, right, interpolation)
    rows, row_weights = _weigh(image.height, size[1], top, bottom, interpolation)
    first, last = int(rows.min()), int(rows.max()) + 1
    needed = np.asarray(image.crop((0, first, image.width, last)))
    if needed.ndim == 2:
        needed = needed[:, :, np.newaxis]
    across = _blend(needed.swapaxes(0, 1), columns, column_weights).swapaxes(0, 1)
    pixels = _blend(across, rows - first, row_weights)
    return Image.frombytes(image.mode, (right - left, bottom - top), pixels.tobytes())


def _weigh(
    source: int, target: int, first: int, last: int, interpolation: Interpolation
) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and integer weights [taps, last - first] of outputs ``first`` to ``last``."""
    scale = source / target
    stretch = max(scale, 1.0)
    reach = (1.0 if interpolation == "bilinear" else 2.0) * stretch
    centre = (np.arange(first, last) + 0.5) * scale
    begin = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + reach + 0.5).astype(np.int64), source)
    taps = np.arange(int((end - begin).max()))[:, np.newaxis]
    distance = np.abs((taps + begin - centre + 0.5) * (1.0 / stretch))
    weights = _triangle(distance) if interpolation == "bilinear" else _cubic(distance)
    weights[taps >= end - begin] = 0.0
    # One after the other, as Pillow adds them: numpy's own sum has another order.
    weights = weights / np.add.accumulate(weights, axis=0)[-1]
    whole = np.where(weights < 0, -0.5, 0.5) + weights * (1 << _PRECISION)
    return np.minimum(begin + taps, source - 1), whole.astype(np.int64)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.where(distance < 1.0, 1.0 - distance, 0.0)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.5, written as Pillow evaluates it."""
    a = -0.5
    near = ((a + 2.0) * distance - (a + 3.0)) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * a
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


def _blend(lines: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Blend whole lines (the first axis): [lines, n, C] → uint8 [outputs, n, C]."""
    total = np.full((indices.shape[1], *lines.shape[1:]), 1 << (_PRECISION - 1), np.int64)
    for index, weight in zip(indices, weights, strict=True):
        total += lines[index] * weight[:, np.newaxis, np.newaxis]
    blended: np.ndarray = np.clip(total >> _PRECISION, 0, 255).astype(np.uint8)
    return blended
