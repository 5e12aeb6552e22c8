"""The two resamplers, each equal to its library bit for bit, since it is its library.

"pillow" is antialiased: every source pixel under an output pixel counts. torchvision's and timm's
weights expect it. "opencv" takes the nearest 2x2 (bilinear) or 4x4 (bicubic) source pixels however
much it shrinks. Paddle's weights expect that. Both release the GIL.
"""

from typing import Literal

import cv2
import numpy as np
import PIL
from PIL import Image

from residua.pixels.orientation import Box

Resampler = Literal["pillow", "opencv"]
Interpolation = Literal["bilinear", "bicubic"]

# Since its version 13 Pillow resizes vertically first where the height loses more than twice the
# pixels that the width loses; before, it did so with strips of over 100 times their width alone.
# Bicubic overshoots are cut off between the passes, so that their order can be seen.
TALL_VERTICALLY_FIRST = int(PIL.__version__.split(".")[0]) >= 13

_PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resize(
    pixels: np.ndarray,
    size: tuple[int, int],
    *,
    resampler: Resampler,
    interpolation: Interpolation,
    box: Box | None = None,
) -> np.ndarray:
    """Return uint8 [H, W, C] (or [H, W]) resized to ``size``, which is (width, height).

    ``box`` (left, top, right, bottom; in pixels of the source) takes a part of it. Pillow takes
    fractions of a pixel; for OpenCV the box is rounded to whole pixels, at least one each way.
    """
    if resampler == "pillow":
        squeezed = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
        image = resize_image(Image.fromarray(squeezed), size, interpolation, box)
        return np.array(image).reshape(size[1], size[0], *pixels.shape[2:])
    if box is not None:
        height, width = pixels.shape[:2]
        left, top = min(round(box[0]), width - 1), min(round(box[1]), height - 1)
        right, bottom = max(round(box[2]), left + 1), max(round(box[3]), top + 1)
        pixels = pixels[top:bottom, left:right]
    resized = cv2.resize(pixels, size, interpolation=_OPENCV[interpolation])
    return resized.reshape(size[1], size[0], *pixels.shape[2:])


def resize_image(
    image: Image.Image, size: tuple[int, int], interpolation: Interpolation, box: Box | None = None
) -> Image.Image:
    """Resize a picture that is Pillow's already, without a copy on the way."""
    return image.resize(size, _PILLOW[interpolation], box)
