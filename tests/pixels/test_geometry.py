"""Sizes and offsets against the words of both references, and some values worked out by hand."""

import pytest

from residua.bundle.schema import Preprocess
from residua.pixels.geometry import Layout, lay_out

_SIZES = [(500, 375), (375, 500), (333, 500), (256, 256), (75, 56), (220, 530), (1600, 1200)]
_SIZES += [(1, 1), (1, 1892), (4096, 32), (257, 256), (511, 640), (702, 1094)]


def _torchvision(width, height, size, crop):
    """functional.resize with an int, then center_crop, in torchvision's own steps."""
    short, long = (width, height) if width <= height else (height, width)
    new_short, new_long = size, int(size * long / short)
    wide, high = (new_short, new_long) if width <= height else (new_long, new_short)
    top, left = int(round((high - crop) / 2.0)), int(round((wide - crop) / 2.0))  # noqa: RUF046  # as there
    return Layout(wide, high, left, top)


def _paddle(width, height, size, crop):
    """ResizeImage(resize_short), then CropImage, in PaddleClas's own steps."""
    percent = float(size) / min(width, height)
    wide = int(round(width * percent))  # noqa: RUF046  # as there
    high = int(round(height * percent))  # noqa: RUF046  # as there
    return Layout(wide, high, (wide - crop) // 2, (high - crop) // 2)


@pytest.mark.parametrize(("short", "crop"), [(256, 224), (366, 320), (232, 224), (288, 288)])
@pytest.mark.parametrize(("width", "height"), _SIZES)
def test_both_roundings_follow_their_reference(width, height, short, crop):
    preprocess = Preprocess(short_side=short, crop_size=crop)
    assert lay_out(width, height, preprocess) == _torchvision(width, height, short, crop)
    preprocess = Preprocess(short_side=short, crop_size=crop, rounding="paddle")
    assert lay_out(width, height, preprocess) == _paddle(width, height, short, crop)


def test_the_roundings_differ_where_they_should():
    ours = {
        rounding: lay_out(333, 500, Preprocess(rounding=rounding))
        for rounding in ("torchvision", "paddle")
    }
    # 256 * 500 / 333 = 384.38; (384 - 224) / 2 = 80
    assert ours["torchvision"] == ours["paddle"] == Layout(256, 384, 16, 80)
    # 256 * 397 / 299 = 339.906: truncated or rounded; 115 / 2 = 57.5 rounds to the even 58
    assert lay_out(397, 299, Preprocess()) == Layout(339, 256, 58, 16)
    assert lay_out(397, 299, Preprocess(rounding="paddle")) == Layout(340, 256, 58, 16)
    # 256 * 401 / 302 = 339.92 and 256 * 400 / 302 = 339.07: (339 - 224) // 2 = 57
    assert lay_out(400, 302, Preprocess(rounding="paddle")) == Layout(339, 256, 57, 16)


def test_a_picture_smaller_than_the_crop_is_padded_as_torchvision_pads():
    preprocess = Preprocess(short_side=100, crop_size=225)
    # 100 x 300: 125 columns are missing, 62 of them before; 75 rows are too many: round(37.5) = 38
    assert lay_out(100, 300, preprocess) == Layout(100, 300, -62, 38)


@pytest.mark.parametrize("rounding", ["torchvision", "paddle"])
def test_squash_and_pad(rounding):
    squash = Preprocess(aspect="squash", rounding=rounding)
    assert lay_out(500, 375, squash) == Layout(224, 224, 0, 0)
    pad = Preprocess(aspect="pad", rounding=rounding)
    assert lay_out(448, 224, pad) == Layout(224, 112, 0, -56)
    assert lay_out(100, 224, pad) == Layout(100, 224, -62, 0)
    assert lay_out(10, 63498, pad) == Layout(1, 224, -111, 0)
