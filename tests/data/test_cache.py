"""The cache keeps what fits and nothing else."""

import numpy as np

from residua.data.cache import PixelCache


def test_pictures_are_kept_up_to_the_budget():
    cache = PixelCache(budget=250)
    pictures = [np.full((10, 10), value, dtype=np.uint8) for value in range(3)]
    for index, picture in enumerate(pictures):
        cache.offer(index, picture)
    assert cache.get(0) is pictures[0]
    assert cache.get(1) is pictures[1]
    assert cache.get(2) is None
    assert cache.used == 200


def test_an_offer_counts_once():
    cache = PixelCache(budget=150)
    for _ in range(2):
        cache.offer(0, np.zeros((10, 10), dtype=np.uint8))
    assert cache.used == 100


def test_no_budget_keeps_nothing():
    cache = PixelCache(0)
    cache.offer(0, np.zeros((1, 1), dtype=np.uint8))
    assert cache.get(0) is None


def test_scales_of_a_picture_are_kept_apart():
    cache = PixelCache(budget=250)
    whole, half = np.zeros((10, 10), np.uint8), np.zeros((5, 5), np.uint8)
    cache.offer(7, half, scale=2)
    assert cache.get(7) is None
    cache.offer(7, whole)
    assert cache.get(7) is whole
    assert cache.get(7, scale=2) is half
    assert cache.used == 125
    assert cache.has_room(125)
    assert not cache.has_room(126)
