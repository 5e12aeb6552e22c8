import cv2
import numpy as np
import pytest
from PIL import Image

from pixels.pictures import noise
from residua.pixels.resize import resize

_PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_SIZES = [((500, 375), (341, 256)), ((75, 56), (342, 256)), ((1, 1), (7, 5)), ((640, 3), (31, 60))]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("source", "target"), _SIZES)
def test_pillow_is_pillow(source, target, channels, interpolation):
    pixels = noise(*source, channels)
    expected = np.asarray(Image.fromarray(pixels).resize(target, _PILLOW[interpolation]))
    ours = resize(pixels, target, resampler="pillow", interpolation=interpolation)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("source", "target"), _SIZES)
def test_opencv_is_opencv(source, target, channels, interpolation):
    pixels = noise(*source, channels)
    expected = cv2.resize(pixels, target, interpolation=_OPENCV[interpolation])
    ours = resize(pixels, target, resampler="opencv", interpolation=interpolation)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("resampler", ["pillow", "opencv"])
def test_one_channel_stays_one_channel(resampler):
    pixels = noise(20, 10, 1)[:, :, np.newaxis]
    ours = resize(pixels, (8, 4), resampler=resampler, interpolation="bilinear")
    assert ours.shape == (4, 8, 1)


def test_a_box_takes_a_part():
    pixels, box = noise(50, 40), (3.25, 4.5, 30.75, 39.0)
    expected = Image.fromarray(pixels).resize((16, 12), Image.Resampling.BILINEAR, box=box)
    ours = resize(pixels, (16, 12), resampler="pillow", interpolation="bilinear", box=box)
    np.testing.assert_array_equal(ours, np.asarray(expected))
    expected = cv2.resize(pixels[4:39, 3:31], (16, 12), interpolation=cv2.INTER_LINEAR)
    ours = resize(pixels, (16, 12), resampler="opencv", interpolation="bilinear", box=box)
    np.testing.assert_array_equal(ours, expected)


def test_a_box_of_less_than_a_pixel_takes_one():
    box = (3.3, 4.1, 3.4, 4.2)
    ours = resize(noise(9, 9), (4, 4), resampler="opencv", interpolation="bilinear", box=box)
    assert ours.shape == (4, 4, 3)
    at_the_edge = (8.6, 8.6, 9.0, 9.0)
    ours = resize(
        noise(9, 9), (4, 4), resampler="opencv", interpolation="bilinear", box=at_the_edge
    )
    assert ours.shape == (4, 4, 3)
