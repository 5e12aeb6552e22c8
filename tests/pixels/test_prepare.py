"""The crop against plain code of both references, written here from their words."""

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from pixels.pictures import colours, encode, noise
from pixels.plain_resnet18 import PlainResNet18
from residua.base.errors import ImageDamagedError, ImageTooLargeError, NotAnImageError
from residua.bundle.schema import Preprocess
from residua.pixels.limits import Limits
from residua.pixels.prepare import prepare, prepare_image, prepare_pixels

PADDLE = Preprocess(resampler="opencv", rounding="paddle")
GREY = {"colour": "grey", "mean": (0.5,), "std": (0.2,)}
RGBA = {"colour": "RGBA", "mean": (0.5, 0.4, 0.3, 0.0), "std": (0.2, 0.2, 0.2, 1.0)}


def _golden_crop(path, interpolation=Image.BILINEAR):
    """golden.json, "preprocessing": decode, resize, crop."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    short, long = sorted(image.size)
    other = int(256 * long / short)
    width, height = (other, 256) if image.width > image.height else (256, other)
    image = image.resize((width, height), interpolation)
    top, left = int(round((height - 224) / 2)), int(round((width - 224) / 2))  # noqa: RUF046  # as there
    return np.asarray(image.crop((left, top, left + 224, top + 224)))


def _paddle_crop(data, interpolation=cv2.INTER_LINEAR):
    """PaddleClas, ppcls/data/preprocess/ops/operators.py: DecodeImage, ResizeImage, CropImage."""
    image = cv2.imdecode(np.frombuffer(data, dtype="uint8"), 1)[:, :, ::-1]
    height, width = image.shape[:2]
    percent = float(256) / min(width, height)
    size = (int(round(width * percent)), int(round(height * percent)))  # noqa: RUF046  # as there
    image = cv2.resize(image, size, interpolation=interpolation)
    height, width = image.shape[:2]
    left, top = (width - 224) // 2, (height - 224) // 2
    return image[top : top + 224, left : left + 224, :]


def _golden(folder):
    return json.loads((folder / "weights" / "golden.json").read_text(encoding="utf-8"))


def test_golden_crops_are_equal(shared_data):
    predictions = _golden(shared_data)["predictions"]
    assert len(predictions) == 60
    for prediction in predictions:
        path = shared_data / "photos" / prediction["file"]
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == prediction["sha256"]
        expected = _golden_crop(path)
        np.testing.assert_array_equal(prepare(data, Preprocess()), expected)
        np.testing.assert_array_equal(prepare(data, Preprocess(), exact=True), expected)
        bicubic = Preprocess(interpolation="bicubic")
        np.testing.assert_array_equal(prepare(data, bicubic), _golden_crop(path, Image.BICUBIC))


def test_golden_probabilities_are_reproduced(shared_data):
    network = PlainResNet18(shared_data / "weights" / "imagenet-resnet18-test.safetensors")
    predictions = _golden(shared_data)["predictions"]
    paths = [shared_data / "photos" / prediction["file"] for prediction in predictions]
    crops = np.stack([prepare(path.read_bytes(), Preprocess()) for path in paths])
    for prediction, ours in zip(predictions, network(crops), strict=True):
        expected = prediction["top5_probabilities"]
        np.testing.assert_allclose(ours[prediction["top5_ids"]], expected, atol=1e-4, rtol=0)


def test_paddle_crops_are_equal(shared_data):
    paths = sorted((shared_data / "photos").glob("*.JPEG"))
    paths += sorted((shared_data / "bad-images").glob("exiforient-*.jpg"))
    assert len(paths) == 69
    cubic = Preprocess(resampler="opencv", rounding="paddle", interpolation="bicubic")
    for path in paths:
        data = path.read_bytes()
        np.testing.assert_array_equal(prepare(data, PADDLE), _paddle_crop(data))
        np.testing.assert_array_equal(prepare(data, cubic), _paddle_crop(data, cv2.INTER_CUBIC))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_take_the_same_way(kind):
    picture = Image.fromarray(colours(400, 300))
    data = encode(picture.quantize(200) if kind == "GIF" else picture, kind)
    np.testing.assert_array_equal(prepare(data, Preprocess()), _golden_crop(io.BytesIO(data)))
    if kind != "GIF":  # OpenCV has a GIF decoder of its own
        np.testing.assert_array_equal(prepare(data, PADDLE), _paddle_crop(data))


@pytest.mark.parametrize("resampler", ["pillow", "opencv"])
@pytest.mark.parametrize("aspect", ["crop", "squash", "pad"])
@pytest.mark.parametrize("options", [{}, GREY, RGBA], ids=["RGB", "grey", "RGBA"])
def test_shapes(options, aspect, resampler):
    preprocess = Preprocess(aspect=aspect, resampler=resampler, **options)
    for size in ((300, 200), (90, 200), (1, 1), (3000, 2)):
        crop = prepare(encode(noise(*size), "PNG"), preprocess)
        assert crop.shape == (224, 224, preprocess.channels)
        assert crop.dtype == np.uint8
        assert crop.flags.c_contiguous
        assert crop.flags.writeable


def test_squash_takes_the_whole_picture():
    picture = colours(400, 300)
    ours = prepare(encode(picture, "PNG"), Preprocess(aspect="squash"))
    expected = Image.fromarray(picture).resize((224, 224), Image.BILINEAR)
    np.testing.assert_array_equal(ours, np.asarray(expected))


def test_pad_fills_with_the_mean_colour():
    picture = noise(448, 224)
    ours = prepare(encode(picture, "PNG"), Preprocess(aspect="pad"))
    expected = Image.fromarray(picture).resize((224, 112), Image.BILINEAR)
    np.testing.assert_array_equal(ours[56:168], np.asarray(expected))
    mean = [round(255 * value) for value in (0.485, 0.456, 0.406)]
    assert (ours[:56] == mean).all()
    assert (ours[168:] == mean).all()


def test_a_crop_larger_than_the_picture_is_padded_with_black():
    picture = noise(100, 300) | 1
    ours = prepare(encode(picture, "PNG"), Preprocess(short_side=100, crop_size=225))
    np.testing.assert_array_equal(ours[:, 62:162], picture[38:263])
    assert not ours[:, :62].any()
    assert not ours[:, 162:].any()


@pytest.mark.parametrize("preprocess", [Preprocess(), PADDLE], ids=["pillow", "opencv"])
def test_strips_are_refused_before_they_are_resized(preprocess, monkeypatch):
    data = encode(noise(10, 60_000, 1), "PNG")
    monkeypatch.setattr("residua.pixels.prepare._resize", lambda *_: pytest.fail("resized"))
    with pytest.raises(ImageTooLargeError, match=r"strip\.png of 10 x 60000 .* 256 x 1536000"):
        prepare(data, preprocess, name="strip.png")


def test_long_pictures_within_the_limits_are_resized():
    picture = noise(20, 2000)
    for preprocess in (Preprocess(), PADDLE):
        assert prepare(encode(picture, "PNG"), preprocess).std() > 10
    image = Image.fromarray(picture).resize((256, 25_600), Image.BILINEAR)
    expected = np.asarray(image.crop((16, 12_688, 240, 12_912)))
    np.testing.assert_array_equal(prepare(encode(picture, "PNG"), Preprocess()), expected)


def test_arrays_take_the_same_way():
    picture = colours(300, 200)
    data = encode(picture, "PNG")
    for preprocess in (Preprocess(), PADDLE, Preprocess(**GREY), Preprocess(**RGBA)):
        expected = prepare(data, preprocess)
        np.testing.assert_array_equal(prepare_pixels(picture, preprocess), expected)
    grey = picture[:, :, 0]
    expected = prepare(encode(grey, "PNG"), Preprocess())
    np.testing.assert_array_equal(prepare_pixels(grey, Preprocess()), expected)
    np.testing.assert_array_equal(prepare_pixels(grey[:, :, np.newaxis], Preprocess()), expected)
    mirrored = prepare_pixels(picture[:, ::-1], Preprocess())  # a view with negative strides
    np.testing.assert_array_equal(mirrored, prepare(encode(picture[:, ::-1], "PNG"), Preprocess()))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.array("text"),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(NotAnImageError, match="shape"):
        prepare_pixels(pixels, Preprocess())


def test_arrays_are_held_to_the_limits():
    with pytest.raises(ImageTooLargeError, match="has 40 x 30"):
        prepare_pixels(noise(40, 30), Preprocess(), limits=Limits(max_side=39))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_images_of_pillow_take_the_same_way(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "TIFF"):
        data = encode(colours(300, 200), kind, exif=exif)
        with Image.open(io.BytesIO(data)) as image:
            ours = prepare_image(image, Preprocess())
            expected = ImageOps.exif_transpose(image)
        np.testing.assert_array_equal(ours, prepare(data, Preprocess()))
        np.testing.assert_array_equal(ours, prepare_image(expected, Preprocess()))


def test_an_image_keeps_its_transparency():
    image = Image.fromarray(colours(30, 20)).quantize(16)
    image.info["transparency"] = bytes(16)
    prepare_image(image, Preprocess())
    assert image.info["transparency"] == bytes(16)


def test_a_broken_image_of_pillow_is_our_error():
    data = encode(noise(90, 90), "JPEG")
    with Image.open(io.BytesIO(data[:2000])) as image, pytest.raises(ImageDamagedError):
        prepare_image(image, Preprocess())


def test_threads_give_the_same_crops(shared_data):
    photos = [path.read_bytes() for path in sorted((shared_data / "photos").glob("*.JPEG"))[:20]]
    alone = [prepare(data, Preprocess()) for data in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: prepare(data, Preprocess()), photos * 3))
    for index, crop in enumerate(together):
        np.testing.assert_array_equal(crop, alone[index % len(alone)])
