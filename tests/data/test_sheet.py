"""Contact sheets: every picture where it belongs, and no letter outside of its tile."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.scenes import draw_scene
from residua.base.errors import SettingError
from residua.data.sheets.sheet import Tile, choose_format, draw_sheet, fit_picture, stack_sheets

RED, GREEN, WHITE = (200, 0, 0), (0, 160, 0), (255, 255, 255)


def _plain(colour, width=50, height=50):
    return np.full((height, width, 3), colour, np.uint8)


def _find(sheet, colour):
    """The box of the pixels of a colour: left, top, right, bottom."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_tiles_stand_in_rows():
    tiles = [Tile(_plain(RED)), Tile(_plain(GREEN)), Tile(_plain((0, 0, 250)))]
    sheet = draw_sheet(tiles, columns=2, side=100)
    red, green, blue = (_find(sheet, colour) for colour in (RED, GREEN, (0, 0, 250)))
    assert red[2] - red[0] == red[3] - red[1] == 100  # enlarged twice
    assert green[0] > red[2]
    assert green[1] == red[1]
    assert blue[0] == red[0]
    assert blue[1] > red[3]


@pytest.mark.parametrize(
    "caption",
    [
        "short",
        "a very long caption that can never fit into such a small tile " * 3,
        "no/blanks/in/this/path/" * 9 + "end.jpg\nsecond line\n" + "W" * 200,
        "äöü Überraschung 花 " * 20,
    ],
)
def test_captions_stay_below_their_tile(caption):
    side, columns = 90, 3
    tiles = [Tile(_plain(RED), caption)] * 6
    sheet = np.asarray(draw_sheet(tiles, columns=columns, side=side, heading="W" * 300))
    red = (sheet == RED).all(axis=2)
    assert red.sum() == 6 * 50 * 50  # nothing is written over a picture
    # The gutters between the columns and the margins hold nothing but paper.
    below = sheet[np.nonzero(red)[0].min() :]
    lefts = [8 + column * (side + 8) for column in range(columns)]
    gutters = np.ones(sheet.shape[1], bool)
    for left in lefts:
        gutters[left : left + side] = False
    assert (below[:, gutters] == 255).all()
    dark = (below < 120).all(axis=2)
    assert dark[:, lefts[0] : lefts[0] + side].any()


def test_the_end_of_a_long_name_remains():
    long = Tile(_plain(RED), "train/roses/" + "0" * 60 + "_end.jpg")
    other = Tile(_plain(RED), "train/roses/" + "0" * 60 + "_dne.jpg")
    first, second = (np.asarray(draw_sheet([t], columns=1)) for t in (long, other))
    assert (first != second).any()


def test_a_frame_and_a_gap_tell_what_belongs_together():
    tiles = [Tile(_plain(WHITE), colour=RED)] * 4
    sheet = np.asarray(draw_sheet(tiles, columns=4, side=60, group=2))
    row = (sheet == RED).all(axis=2)[8]  # the upper edge of the frames
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    assert (ends - starts).tolist() == [60] * 4
    gaps = starts[1:] - ends[:-1]
    assert gaps[0] == gaps[2] < gaps[1]


def test_pictures_keep_their_proportions():
    wide = fit_picture(np.asarray(draw_scene(1, 300, 100)), 90)
    assert wide.size == (90, 30)
    small = fit_picture(_plain(RED, 10, 7), 95)
    assert small.size == (90, 63)
    assert fit_picture(np.zeros((5, 5, 1), np.uint8), 5).mode == "RGB"
    sliver = fit_picture(np.zeros((1, 4000, 3), np.uint8), 90)
    assert sliver.size == (90, 1)


def test_a_tile_without_a_picture_is_crossed_out():
    sheet = np.asarray(draw_sheet([Tile(None, "gone")], columns=1, side=80))
    assert (sheet[8 + 40, 8 + 38 : 8 + 42] < 120).any()


def test_sheets_are_stacked():
    sheets = [Image.new("RGB", (10, 20), RED), Image.new("RGB", (30, 5), GREEN)]
    stacked = stack_sheets(sheets)
    assert stacked.width == 30
    assert _find(stacked, RED)[3] < _find(stacked, GREEN)[1]


def test_the_format_follows_the_name():
    assert choose_format(Path("x.JPG")) == "JPEG"
    with pytest.raises(SettingError, match="Let it end in one of"):
        choose_format(Path("x.tiff"))
