"""Every row of bad-images/CASES.tsv behaves as it says there."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from residua.base.errors import ImageError, ImageTooLargeError
from residua.bundle.schema import Preprocess
from residua.pixels import decode as decode_module
from residua.pixels.decode import decode
from residua.pixels.prepare import prepare

_ROOT = Path(__file__).resolve().parents[2]
_DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or _ROOT.parent / "shared" / "data")
_FOLDER = _DATA / "bad-images"
PILLOW = Preprocess()
OPENCV = Preprocess(resampler="opencv", rounding="paddle")


def _read_cases():
    if not (_FOLDER / "CASES.tsv").is_file():
        return [pytest.param({}, id="no test data")]
    with (_FOLDER / "CASES.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [pytest.param(row, id=row["file"]) for row in rows]


def _outcome(work):
    try:
        return "decode", work()
    except ImageTooLargeError as error:
        return "too-large", error
    except ImageError as error:
        return "error", error


_ADMITTED = {
    "decode": {"decode"},
    "error": {"error", "too-large"},
    "too-large": {"too-large"},
    "decode-or-error": {"decode", "error", "too-large"},
}


@pytest.mark.parametrize("row", _read_cases())
def test_row_behaves_as_stated(row, shared_data, monkeypatch):
    name = row["file"]
    data = (shared_data / "bad-images" / name).read_bytes()
    if row["expected"] == "too-large":
        monkeypatch.setattr(decode_module, "_read", lambda *_: pytest.fail("decoded a bomb"))
    outcome, result = _outcome(lambda: decode(data, name=name))
    assert outcome in _ADMITTED[row["expected"]]
    if outcome == "decode":
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3
        if row["pillow"] == "ok":
            width, height = (int(side) for side in row["size"].split("x"))
            assert sorted(result.shape[:2]) == sorted((width, height))
    else:
        assert str(result).startswith(name)
        assert result.next_step
    for preprocess in (PILLOW, OPENCV):
        outcome, result = _outcome(lambda p=preprocess: prepare(data, p, name=name))
        assert outcome in _ADMITTED[row["expected"]]
        if outcome == "decode":
            assert result.shape == (224, 224, 3)
        else:
            assert str(result).startswith(name)


def test_only_foreign_formats_are_refused_where_pillow_reads(shared_data):
    refused = set()
    for case in _read_cases():
        row = case.values[0]
        data = (shared_data / "bad-images" / row["file"]).read_bytes()
        outcome, _ = _outcome(lambda data=data: decode(data))
        if row["pillow"] == "ok" and outcome != "decode":
            refused.add(row["format"])
    assert refused == {"ICO", "QOI", "TGA"}


def _crops(folder, names, preprocess):
    return [prepare((folder / name).read_bytes(), preprocess).astype(int) for name in names]


@pytest.mark.parametrize("preprocess", [PILLOW, OPENCV], ids=["pillow", "opencv"])
@pytest.mark.parametrize(
    ("names", "bound"),
    [
        ([f"exiforient-Portrait_{number}.jpg" for number in range(9)], 2.5),
        ([f"pillow-hopper_orientation_{number}.jpg" for number in range(2, 9)], 2.5),
    ],
    ids=["portrait", "hopper"],
)
def test_orientations_give_one_picture(shared_data, names, bound, preprocess):
    first, *rest = _crops(shared_data / "bad-images", names, preprocess)
    for other in rest:
        assert np.abs(first - other).mean() < bound


def test_orientation_of_webp(shared_data):
    names = ["pillow-hopper_orientation_6.jpg", "pillow-hopper_orientation_6.webp"]
    first, second = _crops(shared_data / "bad-images", names, PILLOW)
    assert np.abs(first - second).mean() < 8  # two lossy formats


def test_two_pixels_are_turned(shared_data):
    name = "pillow-orientation_rectangle.jpg"
    assert decode((shared_data / "bad-images" / name).read_bytes()).shape == (2, 1, 3)


def test_cmyk_of_the_same_picture_agrees(shared_data):
    folder = shared_data / "bad-images"
    names = ["pillow-pil_sample_cmyk.jpg", "pillow-tiff_strip_cmyk_jpeg.tif"]
    first, second = (decode((folder / name).read_bytes()).astype(int) for name in names)
    assert np.abs(first - second).max() <= 2
    red, green, blue = (first[..., channel] for channel in range(3))
    assert (red[(red > 128)] > 2 * np.maximum(green, blue)[red > 128]).mean() > 0.9  # says "RED"


def test_cmyk_agrees_with_the_grey_copy(shared_data):
    folder = shared_data / "bad-images"
    cmyk = decode((folder / "gofuzz-jpeg-video-001.cmyk.jpeg").read_bytes(), colour="grey")
    grey = decode((folder / "gofuzz-tiff-video-001-gray-16bit.tiff").read_bytes(), colour="grey")
    # One went through inks, the other through 16 bits; inverted they would correlate below zero.
    assert np.corrcoef(cmyk.ravel(), grey.ravel())[0, 1] > 0.95
