"""Bytes to crop: the one definition of preprocessing for every command, export and server."""

import cv2
import numpy as np
from PIL import Image

from residua.base.errors import ImageTooLargeError, NotAnImageError
from residua.bundle.schema import Preprocess
from residua.pixels.colour import convert
from residua.pixels.decode import Picture, read_image, read_picture
from residua.pixels.geometry import Layout, lay_out
from residua.pixels.limits import DEFAULT_LIMITS, Limits, check_size, label, no_memory
from residua.pixels.resize import resize, resize_image

# A large JPEG is decoded at reduced scale as long as its short side stays this many times that of
# the resized picture. See ``prepare`` for what that changes.
REDUCED_MARGIN = 4


def prepare(
    data: bytes,
    preprocess: Preprocess,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
    exact: bool = False,
) -> np.ndarray:
    """Return the crop of a picture file: uint8 [crop_size, crop_size, channels].

    With the "pillow" resampler a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where its short
    side then still is four times that of the resized picture (from 2048 pixels for the usual 256).
    On photos this changes no value of the crop by more than 10 of 255, the values by 0.4 on average
    and no probability by more than 0.05 (tests/pixels/test_reduced.py). ``exact`` turns it off.
    With "opencv" it never happens: that resampler skips most pixels of a large photo, so that
    its crop depends on each single one.

    Raises NotAnImageError, ImageTooLargeError or ImageDamagedError, each naming the file by
    ``name``, and nothing else whatever the bytes are.
    """
    min_side = None
    if preprocess.resampler == "pillow" and not exact:
        target = preprocess.short_side if preprocess.aspect == "crop" else preprocess.crop_size
        min_side = REDUCED_MARGIN * target
    picture = read_picture(
        data, limits=limits, name=name, colour=preprocess.colour, min_side=min_side
    )
    return _fit(picture, preprocess, limits, name)


def prepare_image(
    image: Image.Image,
    preprocess: Preprocess,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
) -> np.ndarray:
    """Return the crop of an image of any mode that Pillow has opened, turned upright as well."""
    check_size(*image.size, limits, name, what="has")
    return _fit(read_image(image, colour=preprocess.colour, name=name), preprocess, limits, name)


def prepare_pixels(
    pixels: np.ndarray,
    preprocess: Preprocess,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
) -> np.ndarray:
    """Return the crop of decoded pixels: uint8 [H, W], or [H, W, C] of grey, RGB or RGBA."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3} or channels not in {1, 3, 4}:
        raise NotAnImageError(
            f"An array of type {pixels.dtype} and shape {pixels.shape} is no picture.",
            next_step="Give uint8 of shape [height, width] or [height, width, 1, 3 or 4], RGB.",
        )
    if not pixels.size:
        raise NotAnImageError(f"An array of shape {pixels.shape} has no pixels.")
    height, width = pixels.shape[:2]
    check_size(width, height, limits, name, what="has")
    image = convert(Image.fromarray(pixels), preprocess.colour)
    return _fit(Picture(image, image.size, (0, 0, width, height)), preprocess, limits, name)


def _fit(picture: Picture, preprocess: Preprocess, limits: Limits, name: str) -> np.ndarray:
    """Resize the whole and cut the crop out, as both references do.

    A strip of 10 x 60,000 pixels whose short side becomes 256 would be 400 million pixels, of which
    the crop keeps 50,000. Pillow cannot be asked for those alone: its ``box`` is of single
    precision, and which of its two passes comes first depends on its version, so that the result
    would differ in the last bit. Such pictures are refused.
    """
    layout = lay_out(*picture.size, preprocess)
    if layout.width * layout.height > limits.max_pixels:
        width, height = picture.size
        raise ImageTooLargeError(
            f"{label(name)} of {width} x {height} pixels would be resized to {layout.width} x "
            f"{layout.height}; the limit is {limits.max_pixels / 1e6:g} million pixels.",
            next_step="Cut a part out of it that is not so long and narrow.",
        )
    try:
        return _place(_resize(picture, layout, preprocess), layout, preprocess)
    except (MemoryError, cv2.error) as error:  # OpenCV has an error of its own for no memory.
        raise no_memory(*picture.size, name) from error


def _resize(picture: Picture, layout: Layout, preprocess: Preprocess) -> np.ndarray:
    """Return the part of the resized picture that lies within the crop."""
    crop, size = preprocess.crop_size, (layout.width, layout.height)
    left, right = max(layout.left, 0), min(layout.left + crop, layout.width)
    top, bottom = max(layout.top, 0), min(layout.top + crop, layout.height)
    interpolation = preprocess.interpolation
    if preprocess.resampler == "opencv":
        pixels = np.asarray(picture.image)
        resized = resize(pixels, size, resampler="opencv", interpolation=interpolation)
        return resized[top:bottom, left:right]
    image = resize_image(picture.image, size, interpolation, picture.box)
    return np.array(image.crop((left, top, right, bottom)))


def _place(pixels: np.ndarray, layout: Layout, preprocess: Preprocess) -> np.ndarray:
    """Return the crop with ``pixels`` where the layout has them.

    What they leave free is black where a picture is smaller than the crop, as torchvision pads,
    and the mean colour with ``aspect`` "pad", which normalises to about zero.
    """
    crop = preprocess.crop_size
    height, width = pixels.shape[:2]
    pixels = pixels.reshape(height, width, preprocess.channels)
    if (height, width) == (crop, crop):
        return np.ascontiguousarray(pixels)
    canvas = np.zeros((crop, crop, preprocess.channels), np.uint8)
    if preprocess.aspect == "pad":
        canvas[:] = np.clip(np.rint(255 * np.array(preprocess.mean)), 0, 255)
    left, top = max(-layout.left, 0), max(-layout.top, 0)
    canvas[top : top + height, left : left + width] = pixels
    return canvas
