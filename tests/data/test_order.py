"""The order of an epoch is a permutation and a pure function."""

import numpy as np

from residua.data.order import epoch_order


def test_an_order_is_a_permutation():
    assert sorted(epoch_order(1000, seed=3, epoch=5)) == list(range(1000))


def test_an_order_is_a_function_of_seed_and_epoch():
    first = epoch_order(1000, seed=3, epoch=5)
    np.testing.assert_array_equal(first, epoch_order(1000, seed=3, epoch=5))
    assert (first != epoch_order(1000, seed=3, epoch=6)).mean() > 0.9
    assert (first != epoch_order(1000, seed=4, epoch=5)).mean() > 0.9


def test_places_are_uniform_over_epochs():
    places = [int(np.flatnonzero(epoch_order(10, seed=0, epoch=e) == 4)[0]) for e in range(2000)]
    counts = np.bincount(places, minlength=10)
    # Chi-square of 9 degrees of freedom: 27.9 in one of 1000 cases.
    assert ((counts - 200) ** 2 / 200).sum() < 27.9


def test_the_smallest_orders():
    assert epoch_order(0, seed=0, epoch=0).tolist() == []
    assert epoch_order(1, seed=0, epoch=0).tolist() == [0]
