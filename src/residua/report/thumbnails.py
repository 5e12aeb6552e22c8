"""Pictures inside the page: small JPEGs as data URIs, of the crops that the network saw."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160  # pixels; twice what a phone shows
_QUALITY = 82


def as_rgb(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a crop of 1, 3 or 4 channels as RGB [H, W, 3]; transparency lies over white."""
    if crop.shape[2] == 4:
        alpha = crop[:, :, 3:].astype(np.float64) / 255
        mixed = crop[:, :, :3] * alpha + 255 * (1 - alpha)
        return np.rint(mixed).astype(np.uint8)
    return np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop


def fit(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Return square RGB pixels of about ``side``: reduced smoothly, or small ones repeated."""
    own = pixels.shape[0]
    if own > side:
        image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
        return np.asarray(image)
    times = max(1, round(side / own))
    repeated: NDArray[np.uint8] = pixels.repeat(times, axis=0).repeat(times, axis=1)
    return repeated


def as_uri(pixels: NDArray[np.uint8]) -> str:
    """Return RGB pixels as a JPEG in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
