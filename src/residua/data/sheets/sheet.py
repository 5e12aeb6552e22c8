"""Contact sheets: pictures in rows, each with a caption, to be looked at by people."""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from residua.base.errors import SettingError

SIDE = 180  # pixels of a tile
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_FONT, _LINE = 13, 17  # pixels: size of the letters, height of a line
_TITLE = 19
_GAP, _GROUP_GAP, _FRAME = 8, 26, 4
_PAPER, _INK, _FAINT, _MAT = (255, 255, 255), (25, 25, 30), (95, 95, 105), (238, 238, 242)

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture (uint8 [H, W, 3] or [H, W, 1]), lines of caption, and the colour of its frame.

    None instead of a picture leaves the place to the caption.
    """

    picture: NDArray[np.uint8] | None
    caption: str = ""
    colour: Colour | None = None


def draw_sheet(
    tiles: Sequence[Tile],
    *,
    columns: int,
    side: int = SIDE,
    heading: str = "",
    group: int = 1,
) -> Image.Image:
    """Return the tiles row by row, ``columns`` a row, below a ``heading``.

    A picture is reduced to fit into ``side`` pixels square, a small one enlarged a whole number of
    times. Captions are cut to the width of a tile: names in their middle, so that their ends
    remain. ``group`` tiles each belong together: the gap to the next is wider.
    """
    font = ImageFont.load_default(size=_FONT)
    lines = max((tile.caption.count("\n") + 1 for tile in tiles if tile.caption), default=0)
    lefts = _place_columns(columns, side, group)
    step = side + lines * _LINE + 2 * _GAP
    rows = -(-len(tiles) // columns)
    top = _GAP + (2 * _LINE if heading else 0)
    sheet = Image.new("RGB", (lefts[-1] + side + _GAP, top + rows * step), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if heading:
        title = ImageFont.load_default(size=_TITLE)
        pen.text((_GAP, _GAP), _shorten(heading, title, sheet.width - 2 * _GAP), _INK, title)
    for number, tile in enumerate(tiles):
        left, upper = lefts[number % columns], top + number // columns * step
        _draw_picture(sheet, pen, tile, (left, upper), side)
        for line, text in enumerate(tile.caption.splitlines()):
            place = (left, upper + side + _GAP // 2 + line * _LINE)
            pen.text(place, _shorten(text, font, side), _FAINT if line else _INK, font)
    return sheet


def stack_sheets(sheets: Sequence[Image.Image]) -> Image.Image:
    """Return sheets below each other."""
    width = max(sheet.width for sheet in sheets)
    stacked = Image.new("RGB", (width, sum(sheet.height + _GAP for sheet in sheets)), _PAPER)
    top = 0
    for sheet in sheets:
        stacked.paste(sheet, (0, top))
        top += sheet.height + _GAP
    return stacked


def choose_format(path: Path, *, others: str = "") -> str:
    """Return Pillow's name for the format of a sheet; ``others`` are further suffixes to offer.

    Raises SettingError where the suffix of ``path`` names none.
    """
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        offered = ", ".join([*_FORMATS, *([others] if others else [])])
        raise SettingError(
            f"Cannot tell from its name what {path} is to be.",
            next_step=f"Let it end in one of: {offered}.",
        )
    return form


def encode_sheet(image: Image.Image, path: Path) -> bytes:
    """Return a sheet in the format that the suffix of ``path`` names."""
    buffer = io.BytesIO()
    image.save(buffer, choose_format(path), quality=90)
    return buffer.getvalue()


def fit_picture(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    """Return pixels (uint8 [H, W, 1, 3 or 4]; alpha is dropped) in at most ``side`` square."""
    if pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(pixels[:, :, :3] if pixels.ndim == 3 else pixels).convert("RGB")
    longest = max(image.size)
    if longest > side:
        width, height = (max(1, round(length * side / longest)) for length in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)
    times = side // longest
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _place_columns(columns: int, side: int, group: int) -> list[int]:
    """Return the left edges of the columns."""
    lefts, left = [], _GAP
    for column in range(1, columns + 1):
        lefts.append(left)
        left += side + (_GAP if column % group or group == 1 else _GROUP_GAP)
    return lefts


def _draw_picture(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, corner: tuple[int, int], side: int
) -> None:
    left, top = corner
    box = (left, top, left + side - 1, top + side - 1)
    pen.rectangle(box, fill=tile.colour or _MAT)
    inner = side
    if tile.colour:
        inner -= 2 * _FRAME
        pen.rectangle((left + _FRAME, top + _FRAME, box[2] - _FRAME, box[3] - _FRAME), fill=_MAT)
    if tile.picture is None:
        pen.line((left, top, box[2], box[3]), _FAINT)
        pen.line((left, box[3], box[2], top), _FAINT)
        return
    image = fit_picture(tile.picture, inner)
    sheet.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return ``text`` as the font can write it, with as much cut out of it as must be."""
    text = _transcribe(text)
    if font.getlength(text) <= width:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        kept = (low + high + 1) // 2
        if font.getlength(_cut_middle(text, kept)) <= width:
            low = kept
        else:
            high = kept - 1
    return _cut_middle(text, low)


def _cut_middle(text: str, kept: int) -> str:
    """Return ``kept`` letters of a text: a third from its beginning, the others from its end."""
    head = kept // 3
    return f"{text[:head]}…{text[len(text) - kept + head :]}"


def _transcribe(text: str) -> str:
    """Return text in the letters that Pillow's own font has: ASCII. Accents are left out."""
    plain = unicodedata.normalize("NFKD", text)
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in letters)
