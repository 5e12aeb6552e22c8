"""The batcher: batches that grow by themselves, rows that stay with their pictures, bounds."""

import asyncio
import gc
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.serve.models.batcher import Batcher
from residua.serve.refusals import Kind, Refusal


class Engine:
    """Answers a picture with its first value; waits where it is told to; fails on 255."""

    def __init__(self, *, lanes=1, held=False):
        self.lanes = lanes
        self.batches = []
        self.go = threading.Event()
        if not held:
            self.go.set()

    def run(self, batch):
        self.go.wait(10)
        self.batches.append(batch[:, 0, 0, 0].tolist())
        if (batch == 255).any():
            raise RuntimeError("a poisoned picture")
        return np.stack([np.full(3, row[0, 0, 0], np.float32) for row in batch])


def crop(value):
    return np.full((2, 2, 3), value, np.uint8)


def later(seconds=10.0):
    return asyncio.get_running_loop().time() + seconds


async def _settle():
    for _ in range(5):
        await asyncio.sleep(0.01)


def test_a_lone_picture_does_not_wait_for_others():
    async def scenario():
        engine = Engine()
        batcher = Batcher(engine, max_batch=8)
        row = await batcher.put(crop(7), later())
        await batcher.drain()
        return engine.batches, row.tolist()

    assert asyncio.run(scenario()) == ([[7]], [7, 7, 7])


def test_what_waits_while_the_engine_is_busy_is_computed_together():
    async def scenario():
        engine, told = Engine(held=True), []
        batcher = Batcher(engine, max_batch=4, told=lambda n, *_: told.append(n))
        rows = [batcher.put(crop(value), later()) for value in range(10)]
        await _settle()
        assert batcher.waiting == 9
        engine.go.set()
        found = [int((await row)[0]) for row in rows]
        await batcher.drain()
        return engine.batches, found, told

    batches, found, told = asyncio.run(scenario())
    assert batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert found == list(range(10))
    assert told == [1, 4, 4, 1]


def test_the_nearest_deadline_goes_first_and_a_passed_one_not_at_all():
    async def scenario():
        engine = Engine(held=True)
        batcher = Batcher(engine, max_batch=1)
        rows = {
            name: batcher.put(crop(value), later(seconds))
            for name, value, seconds in (
                ("busy", 0, 10), ("patient", 1, 9), ("urgent", 2, 5), ("passed", 3, 0.02),
            )
        }  # fmt: skip
        await _settle()
        engine.go.set()
        done = await asyncio.gather(*rows.values(), return_exceptions=True)
        await batcher.drain()
        return engine.batches, dict(zip(rows, done, strict=True))

    batches, rows = asyncio.run(scenario())
    assert batches == [[0], [2], [1]]
    assert isinstance(rows["passed"], Refusal)
    assert rows["passed"].kind is Kind.LATE


def test_a_picture_whose_client_has_left_is_not_computed():
    async def scenario():
        engine = Engine(held=True)
        batcher = Batcher(engine, max_batch=1)
        first, left, last = (batcher.put(crop(value), later()) for value in (0, 1, 2))
        await _settle()
        left.cancel()
        assert batcher.waiting == 1
        engine.go.set()
        await asyncio.gather(first, last)
        await batcher.drain()
        return engine.batches

    assert asyncio.run(scenario()) == [[0], [2]]


def test_a_picture_that_is_alone_is_made_and_computed_in_one_thread():
    async def scenario():
        engine, threads = Engine(), []
        run = engine.run

        def note(batch):
            threads.append(threading.get_ident())
            return run(batch)

        def make():
            threads.append(threading.get_ident())
            return crop(4)

        engine.run = note
        batcher = Batcher(engine, max_batch=8)
        row = await batcher.answer_alone(make)
        await batcher.drain()
        return row.tolist(), threads

    row, (made, computed) = asyncio.run(scenario())
    assert row == [4, 4, 4]
    assert made == computed != threading.get_ident()


def test_nothing_is_alone_where_the_engine_is_busy_or_something_waits():
    async def scenario():
        engine = Engine(held=True)
        batcher = Batcher(engine, max_batch=8)
        first = asyncio.ensure_future(batcher.answer_alone(lambda: crop(1)))
        await _settle()
        second = await batcher.answer_alone(lambda: crop(2))
        waiting = batcher.put(crop(3), later())
        first.cancel()  # its client has left; the engine is still busy with it
        await _settle()
        assert engine.batches == []
        engine.go.set()
        third = await waiting
        await batcher.drain()
        return second, third.tolist(), engine.batches

    assert asyncio.run(scenario()) == (None, [3, 3, 3], [[1], [3]])


def test_what_fails_alone_leaves_the_lane_free():
    def refuse():
        raise Refusal(Kind.DAMAGED, "cut short")

    async def scenario():
        engine = Engine()
        batcher = Batcher(engine, max_batch=8)
        kinds = []
        for make in (refuse, lambda: crop(255), refuse):
            refusal = await batcher.answer_alone(make)
            kinds.append(refusal.kind)
        row = await batcher.answer_alone(lambda: crop(6))
        await batcher.drain()
        return kinds, row.tolist()

    kinds, row = asyncio.run(scenario())
    assert kinds == [Kind.DAMAGED, Kind.INTERNAL, Kind.DAMAGED]
    assert row == [6, 6, 6]


@pytest.mark.parametrize("leaves", [False, True])
def test_a_model_that_is_replaced_leaves_the_memory_at_once(leaves):
    """Whatever its last pictures were: nothing waits for the collector of cycles."""

    def refuse():
        time.sleep(0.05)
        try:
            int("as a decoder fails")
        except ValueError as error:
            raise Refusal(Kind.DAMAGED, "cut short") from error

    async def scenario():
        batcher = Batcher(Engine(), max_batch=8)
        asked = asyncio.ensure_future(batcher.answer_alone(refuse))
        await asyncio.sleep(0.01)
        if leaves:
            asked.cancel()
        await asyncio.wait({asked})
        await batcher.drain()
        held = weakref.ref(batcher)
        del batcher, asked
        await asyncio.sleep(0.01)
        return held() is None

    gc.disable()
    try:
        assert asyncio.run(scenario())
    finally:
        gc.enable()


def test_one_poisoned_picture_fails_alone():
    async def scenario():
        engine = Engine(held=True)
        batcher = Batcher(engine, max_batch=8)
        rows = [batcher.put(crop(value), later()) for value in (0, 1, 255, 2)]
        await _settle()
        engine.go.set()
        done = await asyncio.gather(*rows, return_exceptions=True)
        again = await batcher.put(crop(5), later())
        await batcher.drain()
        return done, again

    done, again = asyncio.run(scenario())
    assert [int(row[0]) for row in (done[0], done[1], done[3])] == [0, 1, 2]
    assert done[2].kind is Kind.INTERNAL
    assert int(again[0]) == 5


@pytest.mark.parametrize("answers", [np.full((1, 3), np.nan, np.float32), np.zeros((2, 3))])
def test_answers_that_make_no_sense_are_refused(answers):
    class Odd(Engine):
        def run(self, batch):
            return answers

    async def scenario():
        batcher = Batcher(Odd(), max_batch=8)
        with pytest.raises(Refusal) as caught:
            await batcher.put(crop(1), later())
        await batcher.drain()
        return caught.value.kind

    assert asyncio.run(scenario()) is Kind.INTERNAL


@settings(max_examples=40, deadline=None)
@given(
    requests=st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=9), max_size=12),
    max_batch=st.integers(1, 5),
    lanes=st.integers(1, 3),
    leaving=st.sets(st.integers(0, 11)),
)
def test_every_row_belongs_to_its_picture(requests, max_batch, lanes, leaving):
    async def ask(batcher, values):
        return await asyncio.gather(
            *(batcher.put(crop(value), later()) for value in values), return_exceptions=True
        )

    async def scenario():
        engine = Engine(lanes=lanes)
        batcher = Batcher(engine, max_batch=max_batch)
        tasks = [asyncio.create_task(ask(batcher, values)) for values in requests]
        await asyncio.sleep(0)
        for place in leaving & set(range(len(tasks))):
            tasks[place].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await batcher.drain()
        return engine.batches, done

    batches, done = asyncio.run(scenario())
    assert all(len(batch) <= max_batch for batch in batches)
    for place, (values, rows) in enumerate(zip(requests, done, strict=True)):
        if place in leaving:
            continue
        for value, row in zip(values, rows, strict=True):
            if value == 255:
                assert row.kind is Kind.INTERNAL
            else:
                assert row.tolist() == [value] * 3
