"""What is let in: pictures and bytes, refused at once when full, forgotten when they leave."""

import pytest

from residua.serve.house import House
from residua.serve.rate import Rates
from residua.serve.refusals import Kind, Refusal


def test_pictures_beyond_the_limit_are_refused_and_room_comes_back():
    told = []
    house = House(max_images=4, max_bytes=10, told=lambda *now: told.append(now))
    with house.admit_images(3):
        with pytest.raises(Refusal) as caught, house.admit_images(2):
            pass
        assert caught.value.kind is Kind.BUSY
        assert caught.value.retry_after == 1
        with house.admit_images(1):
            assert house.images == 4
    assert house.images == 0
    assert told == [(3, 0), (4, 0), (3, 0), (0, 0)]


def test_bytes_are_counted_as_they_come():
    house = House(max_images=1, max_bytes=10)
    with house.admit_bytes() as first, house.admit_bytes() as second:
        first.grow(4)
        first.grow(6)
        second.grow(4)
        second.grow(2)  # less than was counted already
        assert house.bytes == 10
        with pytest.raises(Refusal):
            second.grow(5)
    assert house.bytes == 0


def test_a_request_that_fails_leaves_nothing_behind():
    house = House(max_images=4, max_bytes=10)
    with pytest.raises(ValueError, match="broken"), house.admit_images(2):
        raise ValueError("broken")
    assert house.images == 0


def test_a_client_has_a_rate_of_its_own():
    now = [0.0]
    rates = Rates(2.0, 3.0, lambda: now[0])
    for _ in range(3):
        rates.take("a")
    with pytest.raises(Refusal) as caught:
        rates.take("a")
    assert caught.value.kind is Kind.BUSY
    rates.take("b")
    now[0] = 0.5  # one more has come in
    rates.take("a")
    with pytest.raises(Refusal):
        rates.take("a")
    now[0] = 100.0  # never more than the burst
    for _ in range(3):
        rates.take("a")
    with pytest.raises(Refusal):
        rates.take("a")
