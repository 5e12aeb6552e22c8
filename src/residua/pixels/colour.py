"""One rule for every kind of pixel: 8 bits, and grey, RGB or RGBA.

- Grey, palette and 1-bit pictures become RGB; CMYK and YCbCr follow Pillow's formulas without
  colour profiles (CMYK of JPEG is taken as inverted, as Adobe writes it and all programs read it).
- Alpha is dropped, not composited: the colours beneath are kept, as Pillow's ``convert("RGB")``
  keeps them and as torchvision's, timm's and Paddle's references do.
- Grey is the luma of ITU-R 601, as Pillow's ``convert("L")`` computes it.
- 16-bit samples keep their high byte; samples that the file calls 9…15 bits wide their high eight
  bits. So full range becomes full range, and nothing is clipped.
- Integers of 32 bits, signed ones and floats have no agreed white. Floats that lie within 0…1 are
  taken as such; anything else is stretched from its smallest to its largest finite value.
"""

from typing import Literal

import numpy as np
from PIL import Image

Colour = Literal["RGB", "grey", "RGBA"]
MODES: dict[str, str] = {"RGB": "RGB", "grey": "L", "RGBA": "RGBA"}

_SAMPLES_AT_ONCE = 1 << 20


def convert(
    image: Image.Image, colour: Colour, *, bits: int = 16, white_is_zero: bool = False
) -> Image.Image:
    """Return ``image`` with 8-bit samples in the wanted ``colour``; itself if it is so already.

    ``bits`` is how many of a 16-bit sample are in use; ``white_is_zero`` inverts 16-bit samples,
    32-bit ones and floats.
    """
    if image.mode.startswith("I;16"):
        image = _from_16_bits(image, bits, inverted=white_is_zero)
    elif image.mode in {"I", "F"}:
        image = _stretch(image, inverted=white_is_zero)
    elif image.mode in {"La", "RGBa"}:
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode == MODES[colour]:
        return image
    if colour != "RGBA" and "transparency" in image.info:
        # Pillow would try to carry a transparent colour over, and warn where it cannot.
        image = image.copy()
        del image.info["transparency"]
    if colour == "grey" and image.mode not in {"1", "LA"}:
        image = image.convert("RGB")
    return image.convert(MODES[colour])


def _from_16_bits(image: Image.Image, bits: int, *, inverted: bool) -> Image.Image:
    samples = np.asarray(image) >> (bits - 8)
    grey = samples.astype(np.uint8)
    return Image.fromarray(~grey if inverted else grey)


def _stretch(image: Image.Image, *, inverted: bool) -> Image.Image:
    """Map samples without an agreed white to 0…255; what is not finite becomes the nearest end."""
    samples = np.asarray(image)
    grey = np.empty(samples.shape, np.uint8)
    # A few rows at a time: the intermediate results take several times the room of the picture.
    step = max(1, _SAMPLES_AT_ONCE // samples.shape[1])
    strips = [slice(start, start + step) for start in range(0, len(samples), step)]
    low, high = _find_ends([samples[strip] for strip in strips])
    if image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scale = 255 / (high - low) if high > low else 0.0
    for strip in strips:
        # In float64, where the difference of two 32-bit integers is exact; NaN is the low end.
        scaled = np.nan_to_num((samples[strip].astype(np.float64) - low) * scale, nan=0.0)
        grey[strip] = np.clip(scaled, 0, 255) + 0.5
    return Image.fromarray(~grey if inverted else grey)


def _find_ends(strips: list[np.ndarray]) -> tuple[float, float]:
    """Return the smallest and the largest finite sample; 0 and 1 where there is none."""
    low, high = np.inf, -np.inf
    for strip in strips:
        finite = strip[np.isfinite(strip)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)
