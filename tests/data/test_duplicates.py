"""Duplicates: found exactly where comparing all pairs finds them, and where we have made them."""

import tracemalloc

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from data.scenes import draw_scene, encode
from residua.data.doctor.duplicates import Collector, find_close_hashes, find_near, group_equal
from residua.data.doctor.likeness import correlate, hash_picture, is_blank, make_thumb
from residua.pixels.decode import decode


def _planted(count, copies, *, seed=0):
    """Random hashes, some of them a few bits away from others."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    for _ in range(copies):
        word = int(hashes[random.integers(count)])
        for bit in random.choice(64, random.integers(0, 11), replace=False):
            word ^= 1 << int(bit)
        hashes[random.integers(count)] = word
    return hashes


def _pairs(found):
    return [
        (min(a, b), max(a, b), bits)
        for one, other, distance in found
        for a, b, bits in zip(one.tolist(), other.tolist(), distance.tolist(), strict=True)
    ]


@pytest.mark.parametrize("distance", [0, 1, 3, 4, 6, 7, 8, 11])
def test_close_hashes_are_those_that_all_pairs_give(distance):
    hashes = _planted(1000, 300)
    differing = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    first, second = np.nonzero(np.triu(differing <= distance, 1))
    expected = [(int(a), int(b), int(differing[a, b])) for a, b in zip(first, second, strict=True)]
    found = _pairs(find_close_hashes(hashes, distance))
    assert len(expected) > 15
    assert sorted(found) == expected  # each once


def test_a_hundred_thousand_hashes_take_bounded_memory():
    hashes = _planted(100_000, 2000)
    tracemalloc.start()
    found = _pairs(find_close_hashes(hashes, 6))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) > 500
    assert all(int(hashes[a] ^ hashes[b]).bit_count() == bits <= 6 for a, b, bits in found)
    assert peak < 150e6  # all pairs of hashes would be 80 GB


def test_a_thousand_equal_hashes_are_all_paired():
    hashes = np.full(300, 77, np.uint64)
    assert len(_pairs(find_close_hashes(hashes, 6))) == 300 * 299 // 2


def test_the_hash_is_that_of_the_paper_by_another_cosine_transform():
    scene = draw_scene(3, 140, 90)
    grey = np.asarray(scene.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    waves = scipy.fft.dctn(grey, type=2, norm="ortho")[:8, :8].ravel()
    expected = int("".join("1" if wave > np.median(waves) else "0" for wave in waves), 2)
    assert hash_picture(scene) == expected


def test_correlation_is_that_of_numpy():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 256, (2, 5, 256), dtype=np.uint8)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)]
    assert correlate(one, other) == pytest.approx(expected, abs=1e-5)


def _look(*contents):
    images = [Image.fromarray(decode(content)) for content in contents]
    hashes = np.array([hash_picture(image) for image in images], np.uint64)
    return hashes, np.stack([make_thumb(image) for image in images])


@pytest.mark.parametrize("seed", range(8))
def test_copies_made_in_other_ways_are_near_and_other_scenes_are_not(seed):
    scene = draw_scene(seed, 240, 180)
    copies = {
        "quality 30": encode(scene, quality=30),
        "png": encode(scene, "PNG"),
        "half": encode(scene.resize((120, 90), Image.Resampling.LANCZOS)),
        "a little larger": encode(scene.resize((250, 187))),
        "squeezed": encode(scene.resize((180, 180))),
        "brighter": encode(scene.point([min(255, round(1.15 * v)) for v in range(256)] * 3)),
        "grey": encode(scene.convert("L")),
    }
    others = [encode(draw_scene(seed + 100 * k, 240, 180)) for k in range(1, 6)]
    hashes, thumbs = _look(encode(scene), *copies.values(), *others)
    found = {(a, b) for a, b, _ in _pairs(find_near(hashes, thumbs))}
    group = range(len(copies) + 1)
    assert {pair for pair in found if 0 in pair} == {(0, copy) for copy in group[1:]}
    assert all(a in group and b in group for a, b in found)


def test_hashes_that_agree_by_chance_are_told_apart_by_their_thumbs():
    hashes = np.array([5, 5], np.uint64)
    ramp = np.arange(256, dtype=np.uint8)
    assert not list(find_near(hashes, np.stack([ramp, ramp[::-1]])))
    assert list(find_near(hashes, np.stack([ramp, ramp // 2])))


def test_blank_pictures_are_known():
    assert is_blank(make_thumb(Image.new("RGB", (50, 40), (200, 30, 30))))
    assert not is_blank(make_thumb(draw_scene(0)))


def test_equal_digests_point_to_the_first():
    digests = np.array([[1, 2], [3, 4], [1, 2], [0, 0], [0, 0], [1, 2], [1, 3]], np.uint64)
    readable = np.array([1, 1, 1, 0, 0, 1, 1], bool)
    assert group_equal(digests, readable).tolist() == [0, 1, 0, 3, 4, 0, 6]


def test_a_collector_keeps_the_nearest_partner_of_each():
    collector = Collector(5)
    collector.add(np.array([0, 0]), np.array([1, 2]), np.array([4, 2]))
    collector.add(np.array([1]), np.array([3]), np.array([4]))
    found = collector.result()
    assert found.partner.tolist() == [2, 0, 0, 1, -1]
    pairs, distance = found.pairs()
    assert pairs.tolist() == [[0, 2], [0, 1], [1, 3]]
    assert distance.tolist() == [2, 4, 4]


@pytest.mark.slow
def test_photos_and_their_copies_are_as_the_docstring_says(shared_data):
    files = sorted((shared_data / "flowers5").rglob("*.jpg"))
    hashes, _ = _look(*(file.read_bytes() for file in files))
    assert len(_pairs(find_close_hashes(hashes, 6))) == 21
    chosen = np.random.default_rng(0).choice(len(files), 300, replace=False).tolist()
    changes = {
        "quality 30": lambda image: encode(image, quality=30),
        "half": lambda image: encode(image.resize((image.width // 2, image.height // 2)), "PNG"),
        "96 x 96": lambda image: encode(image.resize((96, 96)), quality=60),
        "edges": lambda image: encode(_cut_edges(image, 0.02), "PNG"),
    }
    for name, change in changes.items():
        originals = [Image.open(files[index]).convert("RGB") for index in chosen]
        copies, thumbs = _look(*(change(image) for image in originals))
        bits = np.bitwise_count(copies ^ hashes[chosen])
        if name == "edges":
            assert np.median(bits) == 4
            continue
        alike = correlate(thumbs, np.stack([make_thumb(image) for image in originals]))
        assert np.quantile(bits, 0.95) <= 2
        assert (alike >= 0.99).mean() >= 0.99


def _cut_edges(image, share):
    x, y = round(share * image.width), round(share * image.height)
    return image.crop((x, y, image.width - x, image.height - y))
