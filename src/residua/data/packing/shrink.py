"""One picture made small for training: its short side reduced, saved as JPEG, or left as it is."""

import io
from dataclasses import dataclass

from residua.base.errors import ImageTooLargeError
from residua.pixels.decode import Picture, open_stored, read_picture
from residua.pixels.formats.header import Format, Header
from residua.pixels.resize import resize_image
from residua.pixels.sniff import sniff

# What every reader of shards decodes alike; other modes are brought to RGB or grey here.
_KEPT: dict[Format, str] = {"JPEG": "jpg", "PNG": "png", "WebP": "webp"}
_KEPT_MODES = frozenset({"RGB", "L"})
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_MAX_SIDE = 65_500  # of libjpeg
# A large JPEG is decoded at a reduced scale down to this many times the wanted side.
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The content of a packed picture, its suffix, and whether it is the file as it was."""

    data: bytes
    suffix: str
    copied: bool


def shrink(data: bytes, name: str, *, short_side: int, quality: int, reencode: bool) -> Shrunk:
    """Return a picture with a short side of at most ``short_side`` pixels, upright, as JPEG.

    It is resized by Pillow (bicubic, antialiased) and never enlarged; colour profiles and other
    metadata are left out. A JPEG, PNG or WebP of RGB or grey that is small enough and upright is
    returned byte for byte, unless ``reencode``; it has been decoded all the same.

    Raises ImageError where it cannot be used.
    """
    header = sniff(data, name=name)
    picture = read_picture(data, name=name, min_side=_MARGIN * short_side)
    mode = open_stored(header).mode
    kept = _can_stay(header, mode) and min(picture.size) <= short_side
    if kept and not reencode:
        return Shrunk(data, _KEPT[header.format], copied=True)
    grey = mode in _GREY_MODES or mode.startswith("I;16")
    return Shrunk(_encode(picture, short_side, quality, grey=grey, name=name), "jpg", copied=False)


def _can_stay(header: Header, mode: str) -> bool:
    return (
        header.format in _KEPT
        and mode in _KEPT_MODES
        and header.orientation == 1
        and header.frames == 1
    )


def _encode(picture: Picture, short_side: int, quality: int, *, grey: bool, name: str) -> bytes:
    image, (width, height) = picture.image, picture.size
    short = min(width, height)
    if short > short_side:
        size = (round(width * short_side / short), round(height * short_side / short))
        image = resize_image(image, size, "bicubic", picture.box)
    if max(image.size) > _MAX_SIDE:
        raise ImageTooLargeError(
            f"{name} has {width} x {height} pixels; a JPEG has {_MAX_SIDE} at most on a side.",
            next_step="Cut a part out of it that is not so long and narrow.",
        )
    buffer = io.BytesIO()
    # All three channels of what was grey are equal.
    (image.getchannel(0) if grey else image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
