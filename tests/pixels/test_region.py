"""Parts of pictures: the same pixels as the whole gives, whatever the file; and how good they are.

The references are ``decode`` (Pillow), Pillow's reduced decoding, and Pillow's resize.
"""

import io

import numpy as np
import pytest
from PIL import Image

from pixels.pictures import colours, encode, every_kind, noise
from residua.base.errors import ImageDamagedError, ImageError, ImageTooLargeError
from residua.pixels import region
from residua.pixels.decode import decode, read_picture
from residua.pixels.formats.plain_jpeg import keep_rows, read_plain
from residua.pixels.limits import Limits
from residua.pixels.region import (
    choose_scale,
    decode_part,
    decode_whole,
    open_picture,
    resize_part,
    take_part,
)
from residua.pixels.sniff import sniff

_SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
_BOXES = [(0, 0, 97, 61), (0, 0, 1, 1), (40, 3, 97, 16), (13, 15, 50, 17), (96, 60, 97, 61)]


def _photo(width=97, height=61):
    """Smooth colours and noise, so that every row and every column counts."""
    mixed = colours(width, height).astype(int) * 3 // 4 + noise(width, height) // 4
    return mixed.astype(np.uint8)


def _plain_kinds():
    kinds = {}
    for name, sampling in _SAMPLINGS.items():
        kinds[name] = encode(_photo(), "JPEG", subsampling=sampling)
        kinds[f"{name} progressive"] = encode(
            _photo(), "JPEG", subsampling=sampling, progressive=True
        )
        kinds[f"{name} restarts"] = encode(
            _photo(), "JPEG", subsampling=sampling, restart_marker_rows=1
        )
    kinds["grey"] = encode(_photo()[:, :, 0], "JPEG")
    return kinds


_KINDS = _plain_kinds()


def _turned(orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(_photo(), "JPEG", exif=exif, **options)


def _outcome(work):
    try:
        return work()
    except ImageError as error:
        return type(error)


def _agree(one, other):
    if isinstance(one, type) or isinstance(other, type):
        return one is other
    return one.shape == other.shape and bool((one == other).all())


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("colour", ["RGB", "grey", "RGBA"])
def test_at_full_size_a_part_is_cut_out_of_what_decode_gives(kind, colour):
    picture = open_picture(_KINDS[kind])
    assert picture.shape.plain
    whole = decode(_KINDS[kind], colour=colour)
    np.testing.assert_array_equal(decode_whole(picture, colour=colour), whole)
    for left, top, right, bottom in _BOXES:
        part = decode_part(picture, (left, top, right, bottom), colour=colour)
        np.testing.assert_array_equal(part, whole[top:bottom, left:right])
        assert part.flags.c_contiguous


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_reduced_parts_are_cut_out_of_what_pillow_reduces(kind, scale):
    picture = open_picture(_KINDS[kind])
    reduced = read_picture(_KINDS[kind], min_side=61 // scale)
    assert reduced.scale == scale
    whole = decode_whole(picture, scale=scale)
    np.testing.assert_array_equal(whole, np.asarray(reduced.image))
    for box in [(0, 0, 97, 61), (40, 3, 97, 19), (16, 16, 64, 48)]:
        part = decode_part(picture, box, scale=scale)
        np.testing.assert_array_equal(part, take_part(whole, picture.shape, box, scale=scale))
    # Edges that are multiples of the scale need no rounding.
    rows, columns = slice(16 // scale, 48 // scale), slice(16 // scale, 64 // scale)
    np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_of_the_upright_picture(orientation):
    data = _turned(orientation, subsampling=2)
    picture, whole = open_picture(data), decode(data)
    assert picture.shape.size == (whole.shape[1], whole.shape[0])
    box = left, top, right, bottom = (11, 20, 53, 31)
    np.testing.assert_array_equal(decode_part(picture, box), whole[top:bottom, left:right])
    reduced = decode_part(picture, box, scale=2)
    again = take_part(decode_whole(picture, scale=2), picture.shape, box, scale=2)
    np.testing.assert_array_equal(reduced, again)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_boxes_are_where_they_should_be(orientation):
    """Against the box averaged by hand; a shift by one reduced pixel would change 7 levels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    x, y = np.meshgrid(np.arange(131), np.arange(107))
    ramp = np.stack([x * 1.9, y * 2.3, (x + y) * 1.0], -1).astype(np.uint8)
    data = encode(ramp, "JPEG", exif=exif, quality=98, subsampling=0)
    picture, whole = open_picture(data), decode(data).astype(float)
    left, top, right, bottom = box = (24, 16, 88, 80)
    part = decode_part(picture, box, scale=4)
    exact = whole[top:bottom, left:right].reshape(16, 4, 16, 4, 3).mean((1, 3))
    # Where the side that libjpeg rounds up comes first, the reduced pixels begin up to half a
    # reduced pixel off.
    assert part.shape == exact.shape
    assert np.abs(part - exact).max() <= 6


def test_what_is_not_plain_goes_the_way_of_decode():
    cmyk = Image.fromarray(_photo()).convert("CMYK")
    others = {kind: data for kind, data in every_kind().items() if not kind.startswith("jpeg")}
    others["cmyk"] = encode(cmyk, "JPEG")
    others["rgb"] = encode(_photo(), "JPEG", keep_rgb=True)
    for kind, data in others.items():
        picture, whole = open_picture(data), decode(data)
        assert not picture.shape.plain, kind
        assert choose_scale(picture.shape, (0, 0, 97, 61), (2, 2)) == 1
        part = decode_part(picture, (10, 20, 90, 40))
        np.testing.assert_array_equal(part, whole[20:40, 10:90], err_msg=kind)


def test_only_rows_that_matter_are_decoded():
    """Of a sequential file; without this nothing would be wrong, but slow."""
    for kind, data in _KINDS.items():
        jpeg = read_plain(sniff(data))
        content, rows = keep_rows(jpeg, 18)
        if "progressive" in kind or "restarts" in kind:
            assert (content, rows) == (jpeg.content, 61)
        else:
            assert rows == (32 if kind == "4:2:0" else 24)
            assert sniff(content).height == rows
            assert len(content) == len(jpeg.content)


def test_plain_files_are_decoded_by_simplejpeg(monkeypatch):
    """Should a new version word its complaint otherwise, all would fall back to ``decode``."""

    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(region, "decode", refuse)
    for data in _KINDS.values():
        for box in _BOXES:
            decode_part(open_picture(data), box)


def test_a_box_much_larger_than_its_crop_is_reduced():
    shape = open_picture(_KINDS["4:2:0"]).shape
    boxes = {280: 1, 559: 1, 560: 2, 1119: 2, 1120: 4, 2239: 4, 2240: 8, 9000: 8}
    for side, scale in boxes.items():
        assert choose_scale(shape, (5, 5, 5 + side, 5 + side), (224, 224)) == scale
        assert choose_scale(shape, (5, 5, 10_005, 5 + side), (224, 224)) == scale


def test_files_that_are_cut_off_are_refused_as_decode_refuses_them():
    for data in _KINDS.values():
        for share in (0.5, 0.9):
            cut = data[: int(len(data) * share)]
            picture = open_picture(cut)
            with pytest.raises(ImageDamagedError, match="truncated"):
                decode_part(picture, (0, 0, 97, 4))


def test_limits_hold_before_anything_is_decoded():
    with pytest.raises(ImageTooLargeError):
        open_picture(_KINDS["grey"], limits=Limits(max_pixels=5000))


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_end_as_decode_ends_and_parts_as_the_whole(seed):
    generator = np.random.default_rng(seed)
    kinds, outcomes = list(_KINDS.values()), set()
    for _ in range(250):
        data = bytearray(kinds[generator.integers(len(kinds))])
        for _ in range(generator.integers(1, 4)):
            at = int(generator.integers(2, len(data)))
            match generator.integers(3):
                case 0:
                    data[at] = generator.integers(256)
                case 1:
                    del data[at : at + int(generator.integers(1, 40))]
                case _:
                    data[at:at] = generator.bytes(5)
        picture = _outcome(lambda data=data: open_picture(bytes(data)))
        if isinstance(picture, type):
            continue
        whole = _outcome(lambda picture=picture: decode_whole(picture))
        assert _agree(whole, _outcome(lambda data=data: decode(bytes(data))))
        width, height = picture.shape.size
        left, top = int(generator.integers(width)), int(generator.integers(height))
        right = int(generator.integers(left + 1, width + 1))
        bottom = int(generator.integers(top + 1, height + 1))
        part = _outcome(lambda p=picture, b=(left, top, right, bottom): decode_part(p, b))
        cut = whole if isinstance(whole, type) else whole[top:bottom, left:right]
        assert _agree(part, cut)
        outcomes.add(cut if isinstance(cut, type) else bool(picture.shape.plain))
    assert outcomes >= {True, ImageDamagedError}


def test_bad_and_good_files_end_as_decode_ends(shared_data):
    plain = 0
    for path in sorted((shared_data / "bad-images").iterdir()):
        data = path.read_bytes()
        picture = _outcome(lambda data=data: open_picture(data))
        whole = _outcome(lambda data=data: decode(data))
        if isinstance(picture, type):
            assert picture is whole
            continue
        plain += picture.shape.plain
        assert _agree(_outcome(lambda p=picture: decode_whole(p)), whole), path.name
        if not isinstance(whole, type):
            height, width = whole.shape[:2]
            box = left, top, right, bottom = (width // 3, height // 4, width, height // 4 + 1)
            np.testing.assert_array_equal(
                decode_part(picture, box), whole[top:bottom, left:right], err_msg=path.name
            )
    assert plain > 20


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resizing_is_pillows_but_for_rounding(interpolation, channels):
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    part = noise(97, 61, channels).reshape(61, 97, channels)
    for size in [(32, 32), (97, 61), (120, 40), (7, 100)]:
        resized = resize_part(part, size, resampler="pillow", interpolation=interpolation)
        # Channel by channel: of four Pillow would take the last for the opacity of the others.
        for channel in range(channels):
            image = Image.fromarray(part[:, :, channel])
            # Which pass comes first depends on the version of Pillow; here it is the horizontal.
            wide = image.resize((size[0], 61), filters[interpolation])
            exact = np.asarray(wide.resize(size, filters[interpolation])).astype(int)
            steps = np.abs(resized[:, :, channel] - exact)
            assert steps.max() <= (1 if interpolation == "bilinear" else 2)
            assert steps.mean() <= 0.02


def test_resizing_with_opencv_is_opencv():
    import cv2

    resized = resize_part(noise(97, 61), (20, 30), resampler="opencv", interpolation="bilinear")
    np.testing.assert_array_equal(resized, cv2.resize(noise(97, 61), (20, 30)))


def test_large_photos_lose_little(shared_data):
    """Crops of a photo enlarged to 12 megapixels with a sensor's noise, against Pillow's."""
    photos = sorted((shared_data / "photos").glob("*.JPEG"))
    generator = np.random.default_rng(0)
    with Image.open(photos[1]) as photo:
        large = photo.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)
    pixels = np.asarray(large).astype(np.int16)
    pixels += np.rint(generator.normal(0, 4, (3000, 4000, 1))).astype(np.int16)
    data = encode(np.clip(pixels, 0, 255).astype(np.uint8), "JPEG", quality=90)
    picture, whole = open_picture(data), Image.open(io.BytesIO(data)).convert("RGB")
    for box, scale in [((0, 0, 3000, 2240), 8), ((800, 400, 2000, 1520), 4), ((8, 8, 608, 578), 2)]:
        assert choose_scale(picture.shape, box, (224, 224)) == scale
        part = decode_part(picture, box, scale=scale)
        quick = resize_part(part, (224, 224), resampler="pillow", interpolation="bilinear")
        exact = whole.resize((224, 224), Image.Resampling.BILINEAR, box, reducing_gap=None)
        steps = np.abs(quick - np.asarray(exact).astype(int))
        assert steps.max() <= 15
        assert steps.mean() <= 0.7
