"""Boxes of pictures from memory or from files: the same pixels, and no more than the budget."""

import numpy as np
import pytest
from PIL import Image

from pixels.pictures import colours, encode, noise
from residua.base.errors import ImageError
from residua.bundle.schema import Classes
from residua.data import regions
from residua.data.cache import PixelCache
from residua.data.regions import RegionReader
from residua.data.source import Source

_SIZE = (16, 16)


def _files():
    pixels = (colours(320, 240).astype(int) * 3 // 4 + noise(320, 240) // 4).astype(np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    return [
        encode(pixels, "JPEG"),
        encode(pixels, "JPEG", exif=turned, subsampling=0),
        encode(pixels, "JPEG", progressive=True),
        encode(pixels[:, :, 0], "JPEG"),
        encode(pixels, "PNG"),
        encode(Image.fromarray(pixels).convert("CMYK"), "JPEG"),
    ]


class _Counted:
    """A source of these files that counts how often each is read."""

    def __init__(self, files):
        self.files, self.reads = files, [0] * len(files)
        self.source = Source(
            title="files",
            classes=Classes(names=("one",)),
            names=tuple(f"{number}.jpg" for number in range(len(files))),
            labels=np.zeros(len(files), np.int64),
            read=self._read,
        )

    def _read(self, index):
        self.reads[index] += 1
        return self.files[index]


def _draw(seed):
    """Boxes of any size: some are reduced, some are not."""

    def draw(width, height):
        generator = np.random.default_rng(seed)
        left, top = int(generator.integers(width - 20)), int(generator.integers(height - 20))
        right, bottom = generator.integers(left + 20, width + 1), top + 20
        return (left, top, int(right), int(generator.integers(bottom, height + 1)))

    return draw


def _read_all(reader, count, epochs=6):
    return [
        reader.read(index, _draw(10 * epoch + index), _SIZE)
        for epoch in range(epochs)
        for index in range(count)
    ]


@pytest.mark.parametrize("colour", ["RGB", "grey"])
@pytest.mark.parametrize("budget", [40_000, 400_000, 1 << 24])
def test_the_budget_changes_no_pixel_and_is_kept(budget, colour):
    counted = _Counted(_files())
    options = {"colour": colour, "reducible": True}
    exact = _read_all(RegionReader(counted.source, PixelCache(0), **options), 6)
    cache = PixelCache(budget)
    kept = _read_all(RegionReader(counted.source, cache, **options), 6)
    assert 0 < cache.used <= budget
    assert len({part.shape for part in exact}) > 6
    for one, other in zip(exact, kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_in_memory_is_not_read_again():
    counted = _Counted(_files()[:1])
    reader = RegionReader(counted.source, PixelCache(), colour="RGB", reducible=False)
    _read_all(reader, 1)
    assert counted.reads == [1]


def test_without_room_only_parts_are_decoded(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(regions, "decode_whole", refuse)
    counted = _Counted(_files())
    _read_all(RegionReader(counted.source, PixelCache(1000), colour="RGB", reducible=True), 6)
    assert counted.reads == [6] * 6


def test_reducing_can_be_forbidden():
    counted = _Counted(_files()[:1])
    for reducible, side in [(True, 30), (False, 240)]:
        reader = RegionReader(counted.source, PixelCache(0), colour="RGB", reducible=reducible)
        part = reader.read(0, lambda width, height: (0, 0, 240, 240), (16, 16))
        assert part.shape == (side, side, 3)


def test_errors_name_the_file():
    counted = _Counted([b"no picture"])
    reader = RegionReader(counted.source, PixelCache(), colour="RGB", reducible=True)
    with pytest.raises(ImageError, match=r"0\.jpg"):
        reader.read(0, lambda width, height: (0, 0, width, height), _SIZE)
