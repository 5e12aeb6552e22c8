"""The part of a picture that a training crop needs, decoded and resized for speed.

Of a plain JPEG only the rows down to the crop are decoded, and where the crop is much larger than
what becomes of it, at 1/2, 1/4 or 1/8 of the size. At full size the pixels are those of ``decode``
bit for bit. Whatever is unusual is left to ``decode``.

A part is a pure function of the bytes, the box and the scale: cut out of the whole picture decoded
at that scale (``decode_whole``, which can be kept in memory) it is the same as decoded by itself.
"""

import re
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from residua.pixels.colour import Colour, convert
from residua.pixels.decode import decode
from residua.pixels.formats.plain_jpeg import PlainJpeg, keep_rows, read_plain
from residua.pixels.limits import DEFAULT_LIMITS, Limits, no_memory
from residua.pixels.orientation import Box, turn_box, turn_size, turn_upright
from residua.pixels.resize import Interpolation, Resampler, resize
from residua.pixels.sniff import sniff

# A reduced crop stays this many times the size of what becomes of it. On photos enlarged to 12
# megapixels, with grain, that changed training crops by 0.4 of 255 on average and 14 at most; 1
# changed them by 0.5 and 19; 1.5 by 0.3 and 9, and took 6 % longer (one run by hand; the bounds
# are in tests/pixels/test_region.py).
REDUCED_MARGIN = 1.25

_SCALES = (8, 4, 2)
# libjpeg-turbo's JWRN_EXTRANEOUS_DATA, with the marker that ends a picture.
_LEFT_OVER = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")
_BACK = {6: 8, 8: 6}  # the orientation that undoes another; all others undo themselves


@dataclass(frozen=True, slots=True)
class Shape:
    """Upright ``size`` (width, height), EXIF's ``orientation``, and whether the JPEG is ``plain``.

    It is all that ``choose_scale`` and ``take_part`` must know of a picture kept in memory.
    """

    size: tuple[int, int]
    orientation: int
    plain: bool


@dataclass(frozen=True, slots=True)
class OpenPicture:
    """A picture file whose header has been read and found acceptable."""

    data: bytes
    shape: Shape
    jpeg: PlainJpeg | None
    limits: Limits
    name: str


def open_picture(data: bytes, *, limits: Limits = DEFAULT_LIMITS, name: str = "") -> OpenPicture:
    """Read the header of a picture file; nothing is decoded. Raises as ``decode`` does."""
    header = sniff(data, limits=limits, name=name)
    jpeg = read_plain(header)
    size = turn_size((header.width, header.height), header.orientation)
    return OpenPicture(data, Shape(size, header.orientation, jpeg is not None), jpeg, limits, name)


def choose_scale(shape: Shape, box: Box, size: tuple[int, int]) -> int:
    """Return by how much a picture may be reduced where ``box`` becomes ``size``: 1, 2, 4 or 8."""
    if not shape.plain:
        return 1
    margin = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]) / REDUCED_MARGIN
    return next((scale for scale in _SCALES if margin >= scale), 1)


def decode_whole(
    picture: OpenPicture, *, scale: int = 1, colour: Colour = "RGB"
) -> NDArray[np.uint8]:
    """Return the upright picture at 1/``scale``: uint8 [H, W, C]; raises as ``decode`` does."""
    jpeg = picture.jpeg
    if jpeg is not None:
        pixels = _decode_rows(jpeg, jpeg.height, scale, picture.name)
        if pixels is not None:
            return _finish(pixels, picture.shape.orientation, colour)
    return decode(
        picture.data,
        limits=picture.limits,
        name=picture.name,
        colour=colour,
        min_side=None if scale == 1 else min(picture.shape.size) // scale,
    )


def decode_part(
    picture: OpenPicture, box: Box, *, scale: int = 1, colour: Colour = "RGB"
) -> NDArray[np.uint8]:
    """Return what ``take_part`` cuts out of the whole picture; raises as ``decode`` does.

    ``box`` (left, top, right, bottom) is in pixels of the upright picture at full size.
    """
    shape, jpeg = picture.shape, picture.jpeg
    if jpeg is not None:
        back = _BACK.get(shape.orientation, shape.orientation)
        place = turn_box(_place(shape, box, scale), _reduce(shape.size, scale), back)
        left, top, right, bottom = (int(edge) for edge in place)
        # Two rows more than asked for: where the file has the colours at half the height, those of
        # a row depend on the next.
        pixels = _decode_rows(jpeg, (bottom + 2) * scale, scale, picture.name)
        if pixels is not None:
            return _finish(pixels[top:bottom, left:right], shape.orientation, colour)
    return take_part(decode_whole(picture, scale=scale, colour=colour), shape, box, scale=scale)


def take_part(
    whole: NDArray[np.uint8], shape: Shape, box: Box, *, scale: int = 1
) -> NDArray[np.uint8]:
    """Cut ``box`` (as in ``decode_part``) out of what ``decode_whole`` returned: contiguous.

    At reduced scale it begins and ends with whole pixels of the reduced picture, so that an edge
    may be off by half of one, which is 0.4 pixels of what becomes of it.
    """
    left, top, right, bottom = _place(shape, box, scale)
    return np.ascontiguousarray(whole[top:bottom, left:right])


def resize_part(
    part: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    resampler: Resampler,
    interpolation: Interpolation,
) -> NDArray[np.uint8]:
    """Return uint8 [H, W, C] resized to ``size`` (width, height); ``part`` must be contiguous.

    "opencv" is OpenCV. "pillow" is torch's port of Pillow's resampling to vector instructions, six
    times as fast, with weights of fewer bits: a value differs by at most 2 of 255, by less than
    0.02 on average. It begins with the horizontal pass, Pillow with whichever is less work; that
    moves values of pure noise by 0.3 on average, and more where bicubic overshoots are cut off.
    """
    if resampler == "opencv":
        return resize(part, size, resampler=resampler, interpolation=interpolation)
    import torch

    operator = getattr(torch.ops.aten, f"_upsample_{interpolation}2d_aa").out
    resized = np.empty((1, size[1], size[0], part.shape[2]), np.uint8)
    # Into an array of our own: ``functional.interpolate`` would return the channels apart, and to
    # bring them together again takes as long as to resize.
    operator(
        torch.from_numpy(part[np.newaxis]).permute(0, 3, 1, 2),
        (size[1], size[0]),
        False,
        None,
        None,
        out=torch.from_numpy(resized).permute(0, 3, 1, 2),
    )
    crop: NDArray[np.uint8] = resized[0]
    return crop


def _decode_rows(jpeg: PlainJpeg, rows: int, scale: int, name: str) -> NDArray[np.uint8] | None:
    """Return at least the first ``rows`` of a JPEG as stored, reduced: uint8 RGB [H, W, 3].

    None where libjpeg-turbo has anything to complain of.
    """
    content, rows = keep_rows(jpeg, rows)
    width, height = _reduce((jpeg.width, rows), scale)
    least = {} if scale == 1 else {"min_width": width, "min_height": height, "min_factor": scale}
    try:
        pixels = np.empty((height, width, 3), np.uint8)
        decoded = simplejpeg.decode_jpeg(content, "RGB", buffer=pixels, **least)
    except ValueError as complaint:
        # It comes with the first warning, or else with an error, but after the rows are there.
        # This warning says that bytes are left over, as they are where rows have been left off.
        if rows == jpeg.height or not _LEFT_OVER.fullmatch(str(complaint)):
            return None
        return pixels
    except MemoryError as error:
        raise no_memory(jpeg.width, jpeg.height, name) from error
    return pixels if decoded.shape == pixels.shape else None


def _finish(pixels: NDArray[np.uint8], orientation: int, colour: Colour) -> NDArray[np.uint8]:
    """Return pixels as stored upright and in the wanted colour, contiguous."""
    pixels = np.ascontiguousarray(pixels)
    if orientation == 1 and colour == "RGB":
        return pixels
    image = turn_upright(convert(Image.fromarray(pixels), colour), orientation)
    return np.array(image).reshape(image.height, image.width, -1)


def _place(shape: Shape, box: Box, scale: int) -> tuple[int, int, int, int]:
    """Return where ``box`` lies in the upright picture at 1/``scale``, in whole pixels.

    libjpeg rounds the reduced size up, so that a little is added at the right and at the bottom of
    what is stored; upright that may be any two sides.
    """
    back = _BACK.get(shape.orientation, shape.orientation)
    left, top, right, bottom = turn_box(box, shape.size, back)
    stored = (left / scale, top / scale, right / scale, bottom / scale)
    reduced = turn_size(_reduce(shape.size, scale), shape.orientation)
    left, top, right, bottom = turn_box(stored, reduced, shape.orientation)
    return (round(left), round(top), round(right), round(bottom))


def _reduce(size: tuple[int, int], scale: int) -> tuple[int, int]:
    return (-(-size[0] // scale), -(-size[1] // scale))
