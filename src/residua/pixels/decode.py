"""The bytes of a picture file decoded: upright, 8 bits, in the wanted colour, or a clear error.

Pillow decodes all formats and serves both families of weights: its JPEG pixels equal those of
OpenCV bit for bit, since both are libjpeg-turbo with its defaults (tests/pixels/test_decode.py
compares them on all test photos), and it tells where a file is cut off, which OpenCV does not.
Pillow's decoders release the GIL.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from residua.base.errors import ImageError, ImageTooLargeError
from residua.pixels.colour import Colour, convert
from residua.pixels.formats.header import Format, Header
from residua.pixels.formats.libtiff import silence_libtiff
from residua.pixels.formats.png import is_complete
from residua.pixels.limits import DEFAULT_LIMITS, Limits, label, no_memory
from residua.pixels.orientation import ORIENTATION, Box, turn_box, turn_size, turn_upright
from residua.pixels.sniff import damaged, sniff

# The classes themselves rather than Image.open: the format is known, and Image.open warns, through
# a filter that all threads share, of pictures that our own limits have admitted.
_FILES: dict[Format, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "TIFF": TiffImageFile,
}
# libjpeg computes 1/2, 1/4 and 1/8 of a picture out of the same coefficients at less work.
_SCALES = (8, 4, 2)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: its full ``size`` (width, height) and the ``scale`` that divided it.

    ``box`` (left, top, right, bottom) is the part of ``image`` that the picture fills: at reduced
    scale the last row and column may reach beyond it by a fraction of a pixel.
    """

    image: Image.Image
    size: tuple[int, int]
    box: Box
    scale: int = 1


def decode(
    data: bytes,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
    colour: Colour = "RGB",
    min_side: int | None = None,
) -> np.ndarray:
    """Return the picture as uint8 [height, width, channels], EXIF's orientation applied.

    ``min_side`` permits a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size as long as its short
    side stays at least that; None means full size. Of an animation this is the first frame.

    Raises NotAnImageError, ImageTooLargeError (before decoding) or ImageDamagedError, and nothing
    else whatever the bytes are; the message names the file by ``name``.
    """
    picture = read_picture(data, limits=limits, name=name, colour=colour, min_side=min_side)
    pixels = np.array(picture.image)
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def read_picture(
    data: bytes,
    *,
    limits: Limits = DEFAULT_LIMITS,
    name: str = "",
    colour: Colour = "RGB",
    min_side: int | None = None,
) -> Picture:
    """As ``decode``, but give Pillow's image, which saves a copy where Pillow resizes it next."""
    header = sniff(data, limits=limits, name=name)
    try:
        return _read(header, colour, min_side, name)
    except ImageError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise no_memory(header.width, header.height, name) from error
    except Exception as error:  # Pillow's decoders raise at least ten types.
        raise damaged(header.format, f"cannot be decoded ({_spell(error)})", name) from error


def read_image(image: Image.Image, *, colour: Colour = "RGB", name: str = "") -> Picture:
    """As ``read_picture``, for an image that Pillow has opened; it is turned upright as well.

    Such an image is not held to the limits: Pillow's own were asked when it was opened.
    """
    try:
        image.load()
        orientation = _ask_orientation(image)
        upright = turn_upright(convert(image, colour), orientation)
    except MemoryError as error:
        raise no_memory(*image.size, name) from error
    except Exception as error:
        kind = image.format or "picture"
        raise damaged(kind, f"cannot be decoded ({_spell(error)})", name) from error
    return Picture(upright, upright.size, (0, 0, *upright.size))


def open_stored(header: Header) -> ImageFile:
    """Return Pillow's image of a sniffed file, not decoded: its mode is the one that is stored."""
    return _FILES[header.format](io.BytesIO(header.content))


def _ask_orientation(image: Image.Image) -> int:
    """Return the orientation of an opened image; 1 where Pillow finds none or stumbles over it."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a broken EXIF block never makes a picture unreadable
        return 1


def _read(header: Header, colour: Colour, min_side: int | None, name: str) -> Picture:
    stored = (header.width, header.height)
    if header.format in {"GIF", "TIFF"}:
        _check_pillow_limit(header, name)
    if header.format == "TIFF":
        silence_libtiff()
    file = open_stored(header)
    if file.size != stored:
        raise damaged(header.format, "holds another size than it declares", name)
    scale = 1
    if header.format == "JPEG" and min_side is not None:
        scale = _choose_scale(min(stored), min_side)
        if scale > 1:
            file.draft(None, (stored[0] // scale, stored[1] // scale))
    file.load()
    if header.format == "PNG" and _ends_black(file) and not is_complete(header.content):
        raise damaged(header.format, "ends in the middle of the picture", name)
    image = convert(file, colour, bits=header.bits, white_is_zero=header.white_is_zero)
    return Picture(
        turn_upright(image, header.orientation),
        turn_size(stored, header.orientation),
        turn_box((0, 0, stored[0] / scale, stored[1] / scale), file.size, header.orientation),
        scale,
    )


def _check_pillow_limit(header: Header, name: str) -> None:
    """Refuse what two of Pillow's readers would warn of or refuse, whatever our own limits say."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and header.width * header.height > limit:
        raise ImageTooLargeError(
            f"{label(name)} is a {header.format} of {header.width} x {header.height} pixels; "
            f"Pillow reads {limit / 1e6:g} million pixels of this format.",
            next_step="Save it as JPEG or PNG.",
        )


def _choose_scale(short: int, min_side: int) -> int:
    """Return the largest divisor that leaves ``short`` at least at ``min_side``, or 1."""
    return next((scale for scale in _SCALES if short // scale >= min_side), 1)


def _ends_black(image: Image.Image) -> bool:
    """Tell whether the last two rows are all zero, as rows that were never decoded are."""
    width, height = image.size
    return not any(image.crop((0, max(0, height - 2), width, height)).tobytes())


def _spell(error: Exception) -> str:
    """Return an exception's message, or its name where it has none."""
    return str(error) or type(error).__name__
