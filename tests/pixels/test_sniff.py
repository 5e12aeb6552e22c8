import io
import struct
import zlib

import pytest
from PIL import Image

from pixels.pictures import colours, encode, every_kind
from residua.base.errors import ImageDamagedError, ImageTooLargeError, NotAnImageError
from residua.pixels.decode import decode
from residua.pixels.formats.exif import read_orientation
from residua.pixels.limits import Limits
from residua.pixels.sniff import sniff

_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "bmp": "BMP", "gif": "GIF"}


@pytest.mark.parametrize(("kind", "data"), every_kind().items())
def test_format_size_and_frames_are_known_from_the_header(kind, data):
    header = sniff(data)
    assert header.format == _FORMATS.get(kind.split()[0], "TIFF")
    assert (header.width, header.height) == (97, 61)
    assert header.frames == (2 if "animated" in kind else 1)


def test_pages_of_a_tiff_are_counted():
    page = Image.fromarray(colours(9, 5))
    data = encode(page, "TIFF", save_all=True, append_images=[page, page])
    assert sniff(data).frames == 3
    with pytest.raises(ImageTooLargeError, match=r"stack\.tif has 3 frames"):
        sniff(data, limits=Limits(max_frames=2), name="stack.tif")


def test_frames_of_an_animated_png_are_those_declared():
    page = Image.fromarray(colours(9, 5))
    turned = page.transpose(Image.Transpose.ROTATE_180)
    assert sniff(encode(page, "PNG", save_all=True, append_images=[turned])).frames == 2


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (Limits(max_bytes=100), "max_bytes"),
        (Limits(max_pixels=4000), "max_pixels"),
        (Limits(max_side=96), "max_side"),
    ],
)
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "gif", "tiff"])
def test_each_limit_is_a_setting(limits, setting, kind):
    with pytest.raises(ImageTooLargeError, match=setting):
        sniff(every_kind()[kind], limits=limits)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_found_in_every_format_that_has_it(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert sniff(encode(colours(9, 5), kind, exif=exif)).orientation == orientation


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x00\0\0\0",  # 0
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",  # 9
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0",  # a text
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01",
        b"??\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
    ],
)
def test_a_broken_orientation_means_leave_as_is(block):
    assert read_orientation(block) == 1


def test_an_orientation_of_either_byte_order_is_read():
    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    assert read_orientation(big) == 6
    assert read_orientation(b"Exif\0\0" + big) == 6


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (b"", "empty"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"qoif\0\0\0\1", "QOI"),
        (b"8BPS\0\1", "PSD"),
        (b"\x01\xda\0\1", "SGI"),
        (b"\xff\x4f\xff\x51\0", "JPEG 2000"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns=", "SVG"),
        (bytes(18) + b"TRUEVISION-XFILE.\0", "TGA"),
        (b"just some words", "no picture"),
        (b"BMW/1.jpg 0\nBMW/2.jpg 0\n", "no picture"),
    ],
)
def test_other_formats_are_named_with_what_is_read(start, named):
    with pytest.raises(NotAnImageError) as caught:
        sniff(start, name="file.jpg")
    assert str(caught.value).startswith("file.jpg is")
    assert named in caught.value.problem
    assert "JPEG, PNG, WebP, BMP, GIF and TIFF" in caught.value.next_step


def _jpeg_of_many_scans(count):
    """A progressive JPEG whose last scan is repeated."""
    data = encode(colours(64, 64), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def test_thousands_of_scans_are_refused_before_decoding():
    assert sniff(_jpeg_of_many_scans(100)).format == "JPEG"
    with pytest.raises(ImageDamagedError, match="scans"):
        sniff(_jpeg_of_many_scans(1000))


def test_metadata_never_reach_the_decoder():
    exif = Image.Exif()
    exif[0x010E] = "a description"
    picture = colours(9, 5)
    for kind in ("JPEG", "PNG", "TIFF"):
        plain, full = encode(picture, kind), encode(picture, kind, exif=exif, icc_profile=b"i" * 99)
        assert len(full) > len(plain)
        content = sniff(full).content
        if kind == "TIFF":  # the entries go, their data stay where nothing points at them
            image = Image.open(io.BytesIO(content))
            assert 0x010E not in image.tag_v2
            assert "icc_profile" not in image.info
        else:
            assert b"description" not in content
            assert b"iiii" not in content


def test_a_png_cannot_change_its_size_halfway():
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    small = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    large = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", small) + chunk(b"IHDR", large)
    data += chunk(b"IDAT", zlib.compress(bytes(20))) + chunk(b"IEND", b"")
    with pytest.raises(ImageDamagedError):
        decode(data)
