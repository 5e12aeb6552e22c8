"""Every operation against Pillow's, which torchvision, timm and PaddleClas call."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from residua.data.augment import operations
from residua.data.augment.operations import Ground, operate

_GROUND = Ground("bilinear", (7, 80, 200))
_ALL = (
    "identity", "shear-x", "shear-y", "translate-x", "translate-y", "rotate", "brightness",
    "colour", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize",
    "solarize-add", "invert",
)  # fmt: skip


def _noise(height=50, width=61, channels=3, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, channels), dtype=np.uint8)


def _smooth(size=(90, 70), seed=0):
    """Coloured clouds of narrow range, which leave autocontrast and equalize something to do."""
    coarse = np.random.default_rng(seed).integers(40, 180, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


_PICTURES = [_noise(), _smooth(), np.full((9, 9, 3), 77, np.uint8)]


def _distance(ours, pillows):
    return np.abs(ours.astype(int) - np.asarray(pillows).astype(int))


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("colour", ImageEnhance.Color),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.1, 0.37, 1.0, 1.4, 1.9])
def test_enhancements_are_pillows(name, enhancer, factor):
    for picture in _PICTURES:
        ours = operate(name, picture, factor, _GROUND)
        distance = _distance(ours, enhancer(Image.fromarray(picture)).enhance(factor))
        assert distance.max() <= 2  # Pillow cuts fractions off, OpenCV rounds
        if factor == 1:
            np.testing.assert_array_equal(ours, picture)


@pytest.mark.parametrize(
    ("name", "values", "pillow"),
    [
        ("posterize", range(1, 9), ImageOps.posterize),
        ("solarize", (0, 1, 100.3, 128, 255, 256), ImageOps.solarize),
        ("autocontrast", (0,), lambda image, _: ImageOps.autocontrast(image)),
        ("equalize", (0,), lambda image, _: ImageOps.equalize(image)),
        ("invert", (0,), lambda image, _: ImageOps.invert(image)),
    ],
)
def test_tables_are_pillows_bit_for_bit(name, values, pillow):
    for picture in [*_PICTURES, _noise(3, 3), _noise(40, 40, seed=3) // 16]:
        for value in values:
            ours = operate(name, picture, value, _GROUND)
            np.testing.assert_array_equal(ours, pillow(Image.fromarray(picture), value))


def test_what_pillow_does_not_have():
    picture = np.array([[[0, 127, 128], [200, 18, 255]]], np.uint8)
    added = operate("solarize-add", picture, 110, _GROUND)
    assert added.tolist() == [[[110, 237, 128], [200, 128, 255]]]
    assert not operate("posterize", picture, 0, _GROUND).any()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("name", "value", "matrix"),
    [
        ("shear-x", 0.3, (1, 0.3, 0, 0, 1, 0)),
        ("shear-y", -0.2, (1, 0, 0, -0.2, 1, 0)),
        ("translate-x", 13, (1, 0, 13, 0, 1, 0)),
        ("translate-y", -20, (1, 0, 0, 0, 1, -20)),
        ("rotate", 23, None),
        ("rotate", -90, None),
    ],
)
def test_moves_are_pillows(name, value, matrix, interpolation):
    ours = operate(name, _smooth(), value, Ground(interpolation, _GROUND.fill))
    image = Image.fromarray(_smooth())
    resample = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    kernel = resample[interpolation]
    if matrix is None:
        theirs = image.rotate(value, kernel, fillcolor=_GROUND.fill)
    else:
        affine = Image.Transform.AFFINE
        theirs = image.transform(image.size, affine, matrix, kernel, fillcolor=_GROUND.fill)
    distance = _distance(ours, theirs)
    if name.startswith("translate"):
        assert distance.max() == 0
    # The kernels of bicubic differ, and so does the outermost pixel, which Pillow does not blend.
    assert np.percentile(distance, 95) <= 2
    assert distance.mean() < 2


@pytest.mark.parametrize("share", [-0.5, -0.2, 0.1, 0.4])
def test_turning_the_hue_is_that_of_the_colour_circle(share):
    """Against Python's colorsys, which does not round; Pillow's HSV is no nearer to it."""
    steps = int(share * 255) % 256
    for picture in (_noise(20, 20), _smooth((20, 20))):
        expected = []
        for red, green, blue in picture.reshape(-1, 3) / 255:
            hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
            expected.append(colorsys.hsv_to_rgb((hue + steps / 256) % 1, saturation, value))
        distance = np.abs(operations.turn_hue(picture, share).reshape(-1, 3) / 255 - expected)
        # A value changes by 6 along the circle of hues. Hue is rounded to half of 1/256 of it, and
        # OpenCV reads the whole circle as 255 of those; rounding the result comes on top.
        assert distance.max() <= 6 / 512 + 6 / 256 + 1 / 510
        channels = list(Image.fromarray(picture).convert("HSV").split())
        channels[0] = Image.fromarray(np.array(channels[0]) + np.uint8(steps))
        pillows = np.asarray(Image.merge("HSV", channels).convert("RGB")).reshape(-1, 3) / 255
        assert distance.mean() < np.abs(pillows - expected).mean() + 0.1 / 255


@pytest.mark.parametrize("name", _ALL)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_operation_takes_every_number_of_channels(name, channels):
    picture = _noise(channels=channels)
    before = picture.copy()
    ground = Ground("bicubic", _GROUND.fill[: min(channels, 3)])
    for value in (0.3, 1.7, 5):
        changed = operate(name, picture, value, ground)
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("name", _ALL)
def test_alpha_moves_and_keeps_its_value(name):
    alpha = _noise(channels=1)
    picture = np.dstack((_noise(), alpha))
    changed = operate(name, picture, 5, _GROUND)
    np.testing.assert_array_equal(changed[:, :, :3], operate(name, _noise(), 5, _GROUND))
    moves = name in {"shear-x", "shear-y", "translate-x", "translate-y", "rotate"}
    # Nothing, thus transparent, lies beyond the edges.
    expected = operate(name, alpha, 5, Ground("bilinear", (0,))) if moves else alpha
    np.testing.assert_array_equal(changed[:, :, 3:], expected)


@pytest.mark.parametrize("change", [operations.change_saturation, operations.turn_hue])
def test_grey_has_no_colour_to_change(change):
    grey = _noise(channels=1)
    np.testing.assert_array_equal(change(grey, 0.3), grey)
