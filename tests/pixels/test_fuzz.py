"""Damaged files: whatever the bytes are, only our own errors leave the module."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixels.pictures import every_kind
from residua.base.errors import ImageError
from residua.bundle.schema import Preprocess
from residua.pixels.decode import decode
from residua.pixels.limits import Limits
from residua.pixels.prepare import prepare
from residua.pixels.sniff import sniff

_FILES = every_kind()
_PREPROCESS = (
    Preprocess(crop_size=24, short_side=32),
    Preprocess(crop_size=24, short_side=32, resampler="opencv", rounding="paddle"),
    Preprocess(crop_size=24, aspect="pad", interpolation="bicubic"),
)
# Small limits keep a damaged size field from costing seconds; nothing else depends on them.
_LIMITS = Limits(max_pixels=2_000_000)
_PATIENT = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _attempt(work, data):
    """Return what ``work`` gives, or None where it refuses in the right words."""
    try:
        return work(data, limits=_LIMITS, name="fuzz.bin")
    except ImageError as error:
        if not str(error).startswith("fuzz.bin "):
            raise
        return None


def _survives(data):
    pixels = _attempt(decode, data)
    if pixels is None:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    for preprocess in _PREPROCESS:
        assert prepare(data, preprocess, limits=_LIMITS).shape == (24, 24, 3)


@pytest.mark.parametrize("kind", _FILES)
@_PATIENT
@given(flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=6))
def test_flipped_bits(kind, flips):
    data = bytearray(_FILES[kind])
    for place, mask in flips:
        data[min(int(place * len(data)), len(data) - 1)] ^= mask
    _survives(bytes(data))


@pytest.mark.parametrize("kind", _FILES)
@_PATIENT
@given(place=st.integers(0, 400), body=st.binary(min_size=1, max_size=8), end=st.floats(0, 1))
def test_damaged_headers_and_ends(kind, place, body, end):
    data = _FILES[kind]
    place = min(place, len(data))
    damaged = data[:place] + body + data[place + len(body) :]
    _survives(damaged[: max(1, int(len(damaged) * end))])


@_PATIENT
@given(
    start=st.sampled_from([data[:16] for data in _FILES.values()] + [b"", b"\0\0\1\0\1\0"]),
    rest=st.binary(max_size=400),
)
def test_random_bytes(start, rest):
    _survives(start + rest)


def _real_files(folder):
    names = (
        "imagers-any-disposal.gif",
        "imagers-anim.webp",
        "pillow-tiff_strip_cmyk_jpeg.tif",
        "pillow-16bit.deflate.tif",
        "gofuzz-jpeg-video-001.cmyk.jpeg",
        "imagers-rgba16.png",
        "pillow-multiple_exif.jpg",
    )
    return [(folder / "bad-images" / name).read_bytes() for name in names]


@settings(parent=_PATIENT, max_examples=300)
@given(data=st.data())
def test_damaged_real_files(shared_data, data):
    original = data.draw(st.sampled_from(_real_files(shared_data)))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    _survives(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))


@pytest.mark.parametrize("kind", _FILES)
def test_every_header_byte_set_to_an_extreme(kind):
    data = _FILES[kind]
    for place in range(min(len(data), 200)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            _attempt(sniff, data[:place] + bytes([value]) + data[place + 1 :])
