"""What decoding large photos at reduced scale changes: the bounds that ``prepare`` states.

There are few large photos among the test data. One is a mosaic of real photos at their own scale,
whose detail is finer, and whose edges are harder, than a camera's; the others are real photos
enlarged to 2049 pixels with a sensor's noise added.
"""

import numpy as np
import pytest
from PIL import Image

from pixels.pictures import encode
from pixels.plain_resnet18 import PlainResNet18
from residua.bundle.schema import Preprocess
from residua.pixels.decode import read_picture
from residua.pixels.prepare import REDUCED_MARGIN, prepare

LARGEST_STEP = 10
MEAN_STEP = 0.4
LARGEST_PROBABILITY_STEP = 0.05
BOTH = [Preprocess(), Preprocess(interpolation="bicubic")]


def _photos(folder):
    for path in sorted((folder / "photos").glob("*.JPEG")):
        with Image.open(path) as image:
            yield image.convert("RGB")


def _mosaic(folder):
    tiles = [photo for photo in _photos(folder) if photo.width >= 400 and photo.height >= 300]
    mosaic = Image.new("RGB", (4000, 3000))
    for index in range(100):
        tile = tiles[index % len(tiles)].crop((0, 0, 400, 300))
        mosaic.paste(tile, (400 * (index % 10), 300 * (index // 10)))
    return encode(mosaic, "JPEG", quality=90)


def _enlarge(photo, short, generator):
    factor = short / min(photo.size)
    size = tuple(round(side * factor) for side in photo.size)
    pixels = np.asarray(photo.resize(size, Image.Resampling.LANCZOS), np.float32)
    grain = generator.normal(0, 6, (*pixels.shape[:2], 1)).astype(np.float32)
    return encode(np.clip(pixels + grain, 0, 255).astype(np.uint8), "JPEG", quality=92)


def _steps(data, preprocess):
    exact = prepare(data, preprocess, exact=True)
    quick = prepare(data, preprocess)
    return exact, quick, np.abs(exact.astype(int) - quick)


@pytest.mark.parametrize("preprocess", BOTH, ids=["bilinear", "bicubic"])
def test_the_mosaic_stays_within_the_bounds(shared_data, preprocess):
    data = _mosaic(shared_data)
    assert read_picture(data, min_side=REDUCED_MARGIN * 256).scale == 2
    _, _, steps = _steps(data, preprocess)
    assert 0 < steps.max() <= LARGEST_STEP
    assert steps.mean() <= MEAN_STEP


@pytest.mark.slow
@pytest.mark.parametrize("preprocess", BOTH, ids=["bilinear", "bicubic"])
def test_enlarged_photos_and_their_probabilities_stay_within_the_bounds(shared_data, preprocess):
    network = PlainResNet18(shared_data / "weights" / "imagenet-resnet18-test.safetensors")
    generator = np.random.default_rng(0)
    exact, quick = [], []
    for photo in list(_photos(shared_data))[::8]:
        one, other, steps = _steps(_enlarge(photo, 2049, generator), preprocess)
        assert 0 < steps.max() <= LARGEST_STEP
        assert steps.mean() <= MEAN_STEP
        exact.append(one)
        quick.append(other)
    changes = np.abs(network(np.stack(exact)) - network(np.stack(quick))).max(axis=1)
    assert changes.max() <= LARGEST_PROBABILITY_STEP
    assert np.median(changes) <= 0.01


@pytest.mark.slow
def test_a_quarter_stays_within_the_bounds(shared_data):
    photo = next(_photos(shared_data))
    data = _enlarge(photo, 4100, np.random.default_rng(0))
    assert read_picture(data, min_side=REDUCED_MARGIN * 256).scale == 4
    _, _, steps = _steps(data, Preprocess())
    assert 0 < steps.max() <= LARGEST_STEP
    assert steps.mean() <= MEAN_STEP


def test_nothing_is_reduced_below_the_margin_or_for_opencv(shared_data):
    data = _enlarge(next(_photos(shared_data)), 2047, np.random.default_rng(0))
    assert not _steps(data, Preprocess())[2].any()
    assert not _steps(data, Preprocess(short_side=512, crop_size=448))[2].any()
    data = _mosaic(shared_data)
    assert not _steps(data, Preprocess(resampler="opencv", rounding="paddle"))[2].any()
