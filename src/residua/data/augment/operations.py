"""The single operations that policies and colour jitter are made of: uint8 pictures in and out.

Each is what Pillow's ``ImageOps``, ``ImageEnhance`` and ``transform`` define (torchvision, timm and
PaddleClas all call them), computed by OpenCV, which is up to ten times as fast and releases the
GIL. Tables of 256 values (posterize, equalize, …) give the same numbers; blends and grey values
round where Pillow cuts off, and so differ by 2 of 255 at most. Moves differ where pictures are
sharp, since OpenCV has another bicubic kernel, and along the edge, which it blends with the fill.

Pictures are [H, W, C] with C = 1, 3 or 4. Operations on colours leave alpha alone, moves take it
along, with nothing (0) beyond the edges. Grey pictures have no colour: ``change_saturation`` and
``turn_hue`` leave them as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from residua.pixels.resize import Interpolation

Picture = NDArray[np.uint8]
Matrix = tuple[float, float, float, float, float, float]

_Value = TypeVar("_Value")

_VALUES = np.arange(256)
_INTERPOLATION = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
# Pillow's ImageFilter.SMOOTH, whose blend with the picture is its sharpness.
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


@dataclass(frozen=True, slots=True)
class Ground:
    """What a moved picture lies on: how it is resampled, and the colour beyond its edges."""

    interpolation: Interpolation
    fill: tuple[int, ...]  # one value for each colour, none for alpha


def operate(name: str, picture: Picture, value: float, ground: Ground) -> Picture:
    """Apply the operation ``name``; ``value`` is in its own unit, see the functions below."""
    if name == "identity":
        return picture
    if name == "rotate":
        return rotate(picture, value, ground)
    if name in _MATRICES:
        return move(picture, _MATRICES[name](value), ground)
    return change_colours(picture, _CHANGES[name], value)


def change_colours(
    picture: Picture, change: Callable[[Picture, _Value], Picture], value: _Value
) -> Picture:
    """Apply ``change`` with ``value`` to the colours of a picture, and not to its alpha."""
    if picture.shape[2] != 4:
        return change(picture, value)
    colours = change(np.ascontiguousarray(picture[:, :, :3]), value)
    return np.dstack((colours, picture[:, :, 3]))


def move(picture: Picture, matrix: Matrix, ground: Ground) -> Picture:
    """Return what ``matrix`` (a, b, c, d, e, f) puts in place of each pixel, as Pillow's AFFINE.

    The pixel at (x, y) gets what lies at (ax + by + c, dx + ey + f), edges counted from the corner.
    """
    a, b, c, d, e, f = matrix
    # OpenCV counts from the middle of the first pixel.
    shifted = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2]])
    height, width, channels = picture.shape
    fill = (*ground.fill, 0) if channels == 4 else ground.fill
    moved = cv2.warpAffine(
        picture,
        shifted,
        (width, height),
        flags=_INTERPOLATION[ground.interpolation] | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )
    return moved.reshape(picture.shape).astype(np.uint8, copy=False)


def rotate(picture: Picture, degrees: float, ground: Ground) -> Picture:
    """Turn about the middle, counter-clockwise; what leaves the frame is lost."""
    height, width = picture.shape[:2]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    across = width / 2 * (1 - cos) + height / 2 * sin
    down = height / 2 * (1 - cos) - width / 2 * sin
    return move(picture, (cos, -sin, across, sin, cos, down), ground)


def look_up(colours: Picture, table: NDArray[np.uint8]) -> Picture:
    """Return the value of ``table`` for each value: uint8 [256], or [256, C], one a channel."""
    found = cv2.LUT(colours, table[None] if table.ndim == 2 else table)
    return found.reshape(colours.shape).astype(np.uint8, copy=False)


def change_brightness(colours: Picture, factor: float) -> Picture:
    """Blend with black: 0 is black, 1 the picture, more is brighter."""
    return look_up(colours, _clip(_VALUES * factor))


def change_contrast(colours: Picture, factor: float) -> Picture:
    """Blend with the mean grey: 0 is that grey, 1 the picture."""
    mean = int(cv2.mean(_grey(colours))[0] + 0.5)
    return look_up(colours, _clip(mean + (_VALUES - mean) * factor))


def change_saturation(colours: Picture, factor: float) -> Picture:
    """Blend with the grey picture: 0 is grey, 1 the picture. Pillow calls it Color."""
    if colours.shape[2] == 1:
        return colours
    grey = cv2.cvtColor(_grey(colours), cv2.COLOR_GRAY2RGB)
    return _blend(grey.astype(np.uint8, copy=False), colours, factor)


def change_sharpness(colours: Picture, factor: float) -> Picture:
    """Blend with the smoothed picture: 0 is smooth, 1 the picture. The outermost pixels stay."""
    smooth = colours.copy()
    filtered = cv2.filter2D(colours, -1, _SMOOTH).reshape(colours.shape)
    smooth[1:-1, 1:-1] = filtered[1:-1, 1:-1]
    return _blend(smooth, colours, factor)


def turn_hue(colours: Picture, share: float) -> Picture:
    """Turn the hue by ``share`` of the circle, -0.5…0.5, in 8 bits of hue as Pillow does."""
    if colours.shape[2] == 1:
        return colours
    turned = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV_FULL)
    turned[:, :, 0] += np.uint8(int(share * 255) % 256)  # modulo 256 is the circle
    return cv2.cvtColor(turned, cv2.COLOR_HSV2RGB_FULL).astype(np.uint8, copy=False)


def invert(colours: Picture, _: float = 0) -> Picture:
    """Return the negative."""
    return look_up(colours, (255 - _VALUES).astype(np.uint8))


def posterize(colours: Picture, bits: float) -> Picture:
    """Keep the upper ``bits`` of the eight of each value."""
    return look_up(colours, (_VALUES & (0xFF00 >> int(bits))).astype(np.uint8))


def solarize(colours: Picture, threshold: float) -> Picture:
    """Invert the values from ``threshold`` on."""
    return look_up(colours, np.where(threshold > _VALUES, _VALUES, 255 - _VALUES).astype(np.uint8))


def add_to_dark(colours: Picture, addition: float) -> Picture:
    """Add ``addition`` to the values below 128 (solarize-add)."""
    return look_up(colours, _clip(_VALUES + int(addition) * (_VALUES < 128)))


def stretch_contrast(colours: Picture, _: float = 0) -> Picture:
    """Stretch each channel to 0…255 (autocontrast); one of a single value stays."""
    tables = []
    for counts in _count_values(colours):
        present = np.flatnonzero(counts)
        low, high = present[0], present[-1]
        scale = 255 / (high - low) if high > low else 1.0
        # One rounding after the other as Pillow has it, since the result is cut off.
        shift = -low * scale if high > low else 0.0
        tables.append(np.clip((_VALUES * scale + shift).astype(np.int64), 0, 255))
    return look_up(colours, np.stack(tables, axis=1).astype(np.uint8))


def equalize(colours: Picture, _: float = 0) -> Picture:
    """Make the histogram of each channel as flat as whole values allow; one value stays."""
    tables = []
    for counts in _count_values(colours):
        present = np.flatnonzero(counts)
        step = int(counts.sum() - counts[present[-1]]) // 255
        below = np.concatenate(([0], np.cumsum(counts)[:-1]))
        tables.append(np.minimum((below + step // 2) // step, 255) if step else _VALUES)
    return look_up(colours, np.stack(tables, axis=1).astype(np.uint8))


_MATRICES: dict[str, Callable[[float], Matrix]] = {
    "shear-x": lambda tangent: (1, tangent, 0, 0, 1, 0),
    "shear-y": lambda tangent: (1, 0, 0, tangent, 1, 0),
    "translate-x": lambda pixels: (1, 0, pixels, 0, 1, 0),
    "translate-y": lambda pixels: (1, 0, 0, 0, 1, pixels),
}
_CHANGES: dict[str, Callable[[Picture, float], Picture]] = {
    "brightness": change_brightness,
    "contrast": change_contrast,
    "colour": change_saturation,
    "sharpness": change_sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "solarize-add": add_to_dark,
    "autocontrast": stretch_contrast,
    "equalize": equalize,
    "invert": invert,
}


def _count_values(colours: Picture) -> list[NDArray[np.int64]]:
    """Return the histogram of each channel: int64 [256]."""
    return [
        cv2.calcHist([colours], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
        for channel in range(colours.shape[2])
    ]


def _grey(colours: Picture) -> Picture:
    if colours.shape[2] == 1:
        return colours
    return cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _blend(base: Picture, colours: Picture, factor: float) -> Picture:
    blended = cv2.addWeighted(colours, factor, base, 1 - factor, 0)
    return blended.reshape(colours.shape).astype(np.uint8, copy=False)


def _clip(values: NDArray[Any]) -> NDArray[np.uint8]:
    clipped: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped
