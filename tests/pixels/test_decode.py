import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from pixels.pictures import colours, encode, every_kind, noise
from residua.base.errors import ImageDamagedError, ImageError, ImageTooLargeError
from residua.pixels.decode import decode, read_picture
from residua.pixels.limits import Limits


def _photos(folder):
    return sorted((folder / "photos").glob("*.JPEG")) + sorted(
        (folder / "list-format").rglob("*.JPEG")
    )


def test_photos_equal_both_references(shared_data):
    photos = _photos(shared_data)
    assert len(photos) > 100
    for path in photos:
        data = path.read_bytes()
        ours = decode(data, name=path.name)
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(ours, np.asarray(image.convert("RGB")))
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(ours, theirs[:, :, ::-1])


@pytest.mark.parametrize("colour", ["RGB", "grey", "RGBA"])
@pytest.mark.parametrize(("kind", "data"), every_kind().items())
def test_every_format_equals_plain_pillow(kind, data, colour):
    image = Image.open(io.BytesIO(data))
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if colour == "grey":
        expected = np.asarray(image.convert("RGB").convert("L"))[:, :, np.newaxis]
    else:
        expected = np.asarray(image.convert(colour))
    np.testing.assert_array_equal(decode(data, colour=colour), expected)


@pytest.mark.parametrize(("kind", "data"), every_kind().items())
def test_a_truncated_file_is_an_error_or_the_whole_picture(kind, data):
    whole = decode(data)
    generator = np.random.default_rng(0)
    cuts = {*range(60), *(len(data) - back for back in range(1, 40))}
    cuts |= set(generator.integers(0, len(data), 60).tolist())
    refused = 0
    for cut in sorted(cuts):
        outcome = _decode_or_refuse(data[:cut])
        if isinstance(outcome, ImageError):
            assert str(outcome).startswith("cut.jpg ")
            refused += 1
        else:
            np.testing.assert_array_equal(outcome, whole)
    assert refused > 60


def _decode_or_refuse(data):
    try:
        return decode(data, name="cut.jpg")
    except ImageError as error:
        return error


def _png(width, height, body, depth=8, colour=2, interlaced=0):
    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


def test_a_png_whose_stream_ends_early_in_good_order_is_damaged():
    row = b"\0" + bytes([200] * 30)
    assert decode(_png(10, 10, row * 10)).min() == 200
    with pytest.raises(ImageDamagedError, match="in the middle"):
        decode(_png(10, 10, row * 4))


def test_a_black_png_is_a_picture():
    for data in (
        encode(np.zeros((7, 5, 3), np.uint8), "PNG"),
        _png(1, 1, bytes(2), depth=1, colour=0, interlaced=1),
        # Seven passes of an 8 x 8 picture: 1, 1, 2, 4, 8, 16 and 32 pixels in 15 rows.
        _png(8, 8, bytes(64 + 15), colour=0, interlaced=1),
    ):
        assert decode(data).max() == 0


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_as_pillow_applies_it(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(colours(23, 14), kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode(data), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_scale_keeps_its_place(orientation):
    """1003 x 651 at 1/4 is 251 x 163 with a rest of a pixel on two sides, wherever they turn to."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(colours(1003, 651), "JPEG", exif=exif, quality=95)
    full, reduced = read_picture(data), read_picture(data, min_side=160)
    assert full.size == reduced.size == full.image.size
    assert reduced.scale == 4
    size = (40, 30)
    bilinear = Image.Resampling.BILINEAR
    expected = np.asarray(full.image.resize(size, bilinear), int)
    with_box = np.asarray(reduced.image.resize(size, bilinear, reduced.box), int)
    assert np.abs(expected - with_box).max() <= 2


def test_reduced_scale_stops_at_min_side():
    data = encode(colours(400, 200), "JPEG")
    for min_side, side in ((1, 25), (25, 25), (26, 50), (50, 50), (100, 100), (101, 200)):
        assert decode(data, min_side=min_side).shape == (side, 2 * side, 3)
    assert decode(encode(colours(400, 200), "PNG"), min_side=10).shape == (200, 400, 3)


def test_limits_of_pillow_are_met_without_a_warning(monkeypatch):
    small = encode(colours(50, 50), "TIFF")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2400)
    assert decode(encode(colours(50, 50), "PNG")).shape == (50, 50, 3)
    assert decode(encode(colours(50, 50), "JPEG")).shape == (50, 50, 3)
    with pytest.raises(ImageTooLargeError, match="Pillow"):
        decode(small)


def test_no_memory_is_our_error(monkeypatch):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", fail)
    with pytest.raises(ImageTooLargeError, match=r"big\.jpg of 9 x 5"):
        decode(encode(colours(9, 5), "JPEG"), name="big.jpg")


def test_pixels_are_writable_and_own():
    pixels = decode(encode(noise(8, 8), "PNG"), limits=Limits(max_pixels=64))
    pixels[:] = 0


def test_damaged_tiffs_are_told_by_the_error_alone(capfd):
    """Without the silence libtiff writes "Using code not yet in table" and the like itself."""
    data = bytearray(encode(noise(64, 64), "TIFF", compression="tiff_lzw"))
    for place in range(200, 3000, 37):
        data[place] ^= 0xFF
    with pytest.raises(ImageDamagedError, match="cannot be decoded"):
        decode(bytes(data))
    assert capfd.readouterr().err == ""
