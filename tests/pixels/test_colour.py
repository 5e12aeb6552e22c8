import io
import struct

import numpy as np
import pytest
from PIL import Image

from pixels.pictures import colours, encode
from residua.pixels.decode import decode


def _ramp(last):
    return np.linspace(0, last, 256).round().reshape(16, 16)


def _tiff(samples, *, bits, sample_format=1, photometric=1):
    """An uncompressed little-endian TIFF of one sample a pixel, written by hand."""
    height, width = samples.shape
    body = samples.tobytes()
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(body),
        339: sample_format,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    body += b"\0" * (len(body) % 2)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def test_16_bits_are_scaled_not_clipped():
    samples = _ramp(65535).astype(np.uint16)
    for data in (encode(samples, "PNG"), encode(samples, "TIFF"), _tiff(samples, bits=16)):
        grey = decode(data, colour="grey")[:, :, 0]
        assert np.abs(grey.astype(float) - samples / 257).max() <= 1
        assert (grey[0, 0], grey[-1, -1]) == (0, 255)


def test_white_is_zero_is_inverted_at_every_depth():
    shallow = _ramp(255).astype(np.uint8)
    deep = _ramp(65535).astype(np.uint16)
    ours = decode(_tiff(deep, bits=16, photometric=0), colour="grey")[:, :, 0]
    np.testing.assert_array_equal(ours, 255 - (deep >> 8))
    ours = decode(_tiff(shallow, bits=8, photometric=0), colour="grey")[:, :, 0]
    np.testing.assert_array_equal(ours, 255 - shallow)
    floats = (deep / 65535).astype(np.float32)
    ours = decode(_tiff(floats, bits=32, sample_format=3, photometric=0), colour="grey")[:, :, 0]
    assert np.abs(ours - 255 * (1 - floats)).max() <= 1


def test_12_bits_are_scaled_by_12_bits(shared_data):
    with Image.open(shared_data / "bad-images" / "pillow-12bit.cropped.tif") as image:
        samples = np.asarray(image)
    data = (shared_data / "bad-images" / "pillow-12bit.cropped.tif").read_bytes()
    np.testing.assert_array_equal(decode(data, colour="grey")[:, :, 0], samples >> 4)


@pytest.mark.parametrize(
    ("samples", "sample_format"),
    [
        (_ramp(65535).astype(np.int32), 2),
        ((_ramp(2**32 - 1) - 2**31).astype(np.int32), 2),
        (_ramp(3.5).astype(np.float32) - 1, 3),
        (_ramp(60000).astype(np.float32), 3),
    ],
)
def test_samples_without_an_agreed_white_are_stretched(samples, sample_format):
    ours = decode(_tiff(samples, bits=32, sample_format=sample_format), colour="grey")[:, :, 0]
    wide = samples.astype(float)
    expected = 255 * (wide - wide.min()) / (wide.max() - wide.min())
    assert np.abs(ours - expected).max() <= 0.5


def test_floats_within_0_and_1_are_taken_as_such():
    samples = (_ramp(255) / 510).astype(np.float32)
    ours = decode(_tiff(samples, bits=32, sample_format=3), colour="grey")[:, :, 0]
    assert np.abs(ours - 255 * samples).max() <= 0.5


def test_floats_that_are_not_numbers_do_not_spoil_the_picture():
    samples = _ramp(1).astype(np.float32)
    samples[0, :3] = np.nan, np.inf, -np.inf
    ours = decode(_tiff(samples, bits=32, sample_format=3), colour="grey")[:, :, 0]
    assert ours[0, :3].tolist() == [0, 255, 0]
    assert ours[-1, -1] == 255
    constant = np.full((2, 2), np.nan, np.float32)
    assert decode(_tiff(constant, bits=32, sample_format=3)).max() == 0


def test_alpha_is_dropped_and_colours_beneath_are_kept():
    pixels = np.dstack([colours(20, 10), np.zeros((10, 20), np.uint8)])
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        data = encode(pixels, kind, **options)
        np.testing.assert_array_equal(decode(data), pixels[:, :, :3])
        np.testing.assert_array_equal(decode(data, colour="RGBA"), pixels)


def test_transparent_palettes_are_read_without_a_warning():
    image = Image.fromarray(colours(20, 10)).quantize(16)
    data = encode(image, "PNG", transparency=bytes(range(0, 160, 10)))
    assert decode(data).shape == (10, 20, 3)
    assert len(np.unique(decode(data, colour="RGBA")[:, :, 3])) > 3
    assert decode(data, colour="grey").shape == (10, 20, 1)
    np.testing.assert_array_equal(decode(data), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("colour", ["RGB", "grey", "RGBA"])
def test_every_mode_becomes_every_colour(mode, colour):
    image = Image.fromarray(colours(20, 10))
    if mode == "LAB":
        data = encode(Image.new("LAB", (20, 10)), "TIFF")
    else:
        data = encode(image.convert(mode), "TIFF")
    assert decode(data, colour=colour).shape == (10, 20, {"RGB": 3, "grey": 1, "RGBA": 4}[colour])


def test_adobes_inverted_inks():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = decode(encode(image, "JPEG"))
    with Image.open(io.BytesIO(encode(image, "JPEG"))) as again:
        np.testing.assert_array_equal(pixels, np.asarray(again.convert("RGB")))
    assert pixels[8, 8].tolist() == pytest.approx([255, 0, 0], abs=4)
