"""The order of an epoch is a permutation and a pure function; repeats come in whole pairs."""

import hashlib

import numpy as np
import pytest

from residua.data.order import epoch_order


def test_an_order_is_a_permutation():
    assert sorted(epoch_order(1000, seed=3, epoch=5)) == list(range(1000))


def test_an_order_is_a_function_of_seed_and_epoch():
    first = epoch_order(1000, seed=3, epoch=5)
    np.testing.assert_array_equal(first, epoch_order(1000, seed=3, epoch=5))
    assert (first != epoch_order(1000, seed=3, epoch=6)).mean() > 0.9
    assert (first != epoch_order(1000, seed=4, epoch=5)).mean() > 0.9


def test_the_order_of_recorded_runs_stays():
    assert epoch_order(8, seed=0, epoch=0).tolist() == [7, 1, 2, 3, 5, 6, 0, 4]
    order = epoch_order(1000, seed=3, epoch=5).astype("<i8")
    assert hashlib.sha256(order.tobytes()).hexdigest() == (
        "c72aa4b1d4dbf6f02ffc054e325a1b3ccab16c0d0a05f8c20b84059243a4b8ad"
    )


def test_places_are_uniform_over_epochs():
    places = [int(np.flatnonzero(epoch_order(10, seed=0, epoch=e) == 4)[0]) for e in range(2000)]
    counts = np.bincount(places, minlength=10)
    # Chi-square of 9 degrees of freedom: 27.9 in one of 1000 cases.
    assert ((counts - 200) ** 2 / 200).sum() < 27.9


def test_the_smallest_orders():
    assert epoch_order(0, seed=0, epoch=0).tolist() == []
    assert epoch_order(1, seed=0, epoch=0).tolist() == [0]
    assert epoch_order(0, seed=0, epoch=0, repeats=3).tolist() == []
    assert epoch_order(1, seed=0, epoch=0, repeats=3).tolist() == [0]


def test_repeats_are_laid_out_two_and_two():
    a, b, c, d = (int(sample) for sample in epoch_order(12, seed=7, epoch=1)[:4])
    tickets = epoch_order(12, seed=7, epoch=1, repeats=3)
    samples, copies = tickets // 3, tickets % 3
    assert samples.tolist() == [a, b, a, b, a, b, c, d, c, d, c, d]
    assert copies.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("count", [2, 3, 5, 8, 33, 1000])
@pytest.mark.parametrize("repeats", [2, 3, 4])
def test_partners_differ_and_the_length_stays(count, repeats):
    for epoch in range(5):
        tickets = epoch_order(count, seed=0, epoch=epoch, repeats=repeats)
        assert len(tickets) == count == len(set(tickets.tolist()))
        assert 0 <= tickets.min() <= tickets.max() < count * repeats
        samples = tickets // repeats
        paired = samples[: count // 2 * 2].reshape(-1, 2)
        assert (paired[:, 0] != paired[:, 1]).all()
        distinct = len(set(samples.tolist()))
        assert count / repeats <= distinct < count / repeats + 2
        for sample in set(samples.tolist()):
            assert np.ptp(np.flatnonzero(samples == sample)) <= 2 * repeats
