"""Batches: the right pictures in the right order, whatever the threads; bounded memory."""

import threading
import time

import numpy as np
import pytest

from residua.base.errors import ImageDamagedError
from residua.data.loader import batches, cut

_SHAPE = (2, 2, 3)


def _fill(index, out):
    # Later pictures are often ready first.
    time.sleep(0.001 * (7 - index % 7))
    out[...] = index


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("ahead", [1, 3])
def test_batches_come_in_order_whatever_the_threads(threads, ahead):
    order = np.random.default_rng(0).permutation(50)
    seen = []
    for batch in batches(_fill, cut(order, 12), shape=_SHAPE, threads=threads, ahead=ahead):
        assert batch.images.shape == (len(batch.indices), *_SHAPE)
        assert (batch.images == batch.indices[:, None, None, None]).all()
        seen += batch.indices.tolist()
    assert seen == order.tolist()


def test_the_last_batch_may_be_short():
    loading = batches(_fill, cut(np.arange(10), 4), shape=_SHAPE)
    assert [len(batch.indices) for batch in loading] == [4, 4, 2]


def test_the_state_is_the_number_of_the_batch():
    order = np.arange(20)
    every = [b.indices.tolist() for b in batches(_fill, cut(order, 3), shape=_SHAPE)]
    rest = [b.indices.tolist() for b in batches(_fill, cut(order, 3), shape=_SHAPE, start=4)]
    assert rest == every[4:]


def test_a_batch_holds_until_the_next_is_asked_for():
    for batch in batches(_fill, cut(np.arange(40), 4), shape=_SHAPE, threads=4):
        before = batch.images.copy()
        time.sleep(0.02)
        np.testing.assert_array_equal(batch.images, before)


def test_memory_is_bounded():
    started = []
    lock = threading.Lock()

    def fill(index, out):
        with lock:
            started.append(index)
        out[...] = 0

    loading = batches(fill, cut(np.arange(100), 2), shape=_SHAPE, ahead=2)
    next(loading)
    time.sleep(0.1)
    assert max(started) < 6  # the batch in hand and two ahead
    loading.close()


def test_a_slow_picture_holds_no_other_up():
    """The first is ready only after all others of the batch."""
    others = threading.Semaphore(0)

    def fill(index, out):
        if index == 0:
            for _ in range(15):
                assert others.acquire(timeout=10)
        else:
            others.release()
        out[...] = index

    (batch,) = batches(fill, cut(np.arange(16), 16), shape=_SHAPE, threads=2)
    assert batch.images[:, 0, 0, 0].tolist() == list(range(16))


def test_a_bad_picture_is_reported_with_its_reason():
    def fill(index, out):
        if index == 3:
            raise ImageDamagedError("3.jpg ends early.")
        if index == 5:
            raise PermissionError("5.jpg: permission denied")
        out[...] = index

    (batch,) = batches(fill, cut(np.arange(8)[::-1], 8), shape=_SHAPE)
    assert batch.indices.tolist() == [7, 6, 4, 2, 1, 0]
    assert batch.images[:, 0, 0, 0].tolist() == [7, 6, 4, 2, 1, 0]
    assert [(f.index, f.reason) for f in batch.failures] == [(3, "damaged"), (5, "unreadable")]
    assert "3.jpg ends early." in batch.failures[0].message


def test_a_defect_is_not_hidden():
    def fill(index, out):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(batches(fill, cut(np.arange(4), 2), shape=_SHAPE))


def test_leaving_early_ends_the_threads():
    before = threading.active_count()
    loading = batches(_fill, cut(np.arange(100), 4), shape=_SHAPE, threads=3)
    next(loading)
    loading.close()
    assert threading.active_count() == before


def test_leaving_early_leaves_the_rest_undone():
    started = []

    def fill(index, out):
        started.append(index)
        time.sleep(0.005)

    loading = batches(fill, cut(np.arange(300), 100), shape=_SHAPE, threads=2)
    next(loading)
    loading.close()
    assert len(started) < 150


def test_a_defect_leaves_the_rest_undone():
    started = []

    def fill(index, out):
        started.append(index)
        time.sleep(0.005)
        if index == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(batches(fill, cut(np.arange(300), 100), shape=_SHAPE, threads=2))
    assert len(started) < 150


def test_nothing_gives_no_batch():
    assert list(batches(_fill, cut(np.arange(0), 4), shape=_SHAPE)) == []
