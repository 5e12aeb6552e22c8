import random
import threading
import time

import numpy as np
import pytest

from residua.base.errors import ImageDamagedError
from residua.predict.pipeline import run_ahead


class EchoEngine:
    """Gives back the first pixel of each crop, and notes the sizes of its batches."""

    name, good_batch = "echo", 4

    def __init__(self, lanes=1):
        self.lanes = lanes
        self.batches = []

    def run(self, batch):
        self.batches.append(len(batch))
        time.sleep(random.random() / 500)  # noqa: S311  # disorder, not secrecy
        return batch.reshape(len(batch), -1)[:, :1].astype(np.float32)


def prepare(item):
    time.sleep(random.random() / 500)  # noqa: S311  # disorder, not secrecy
    if item % 7 == 3:
        raise ImageDamagedError(f"{item} is damaged")
    return np.full((2, 2, 3), item % 251, np.uint8)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 203])
def test_results_come_in_order_each_with_its_own_answer(count, lanes):
    engine = EchoEngine(lanes)
    results = list(run_ahead(range(count), prepare, engine, batch_size=4))
    assert [item for item, _ in results] == list(range(count))
    for item, outcome in results:
        if item % 7 == 3:
            assert isinstance(outcome, ImageDamagedError)
            assert str(item) in outcome.problem
        else:
            assert outcome.tolist() == [item % 251]
    assert all(size == 4 for size in sorted(engine.batches, reverse=True)[:-1])


def test_only_bad_pictures_run_no_network():
    engine = EchoEngine()
    outcomes = [o for _, o in run_ahead([3, 10, 17], prepare, engine, batch_size=2)]
    assert all(isinstance(outcome, ImageDamagedError) for outcome in outcomes)
    assert engine.batches == []


def test_reading_ahead_is_bounded():
    read = []

    def source():
        for item in range(10_000):
            read.append(item)
            yield item * 7

    results = run_ahead(source(), prepare, EchoEngine(), batch_size=4)
    for _ in range(50):
        next(results)
    assert len(read) <= 50 + 4 * (1 + 2) + 4
    results.close()


def test_leaving_early_ends_the_threads():
    before = threading.active_count()
    results = run_ahead(iter(range(1_000_000)), prepare, EchoEngine(), batch_size=4)
    next(results)
    results.close()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_a_defect_of_the_engine_is_not_swallowed():
    class Broken(EchoEngine):
        def run(self, batch):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run_ahead([1, 2], prepare, Broken(), batch_size=2))
