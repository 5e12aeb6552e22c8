"""What is let in: pictures and bytes, refused at once when full, forgotten when they leave."""

import pytest

from residua.serve.admission.house import House
from residua.serve.admission.rate import Rates
from residua.serve.refusals import Kind, Refusal


def test_pictures_beyond_the_limit_are_refused_and_room_comes_back():
    told = []
    house = House(max_images=4, max_bytes=10, told=lambda *now: told.append(now))
    with house.admit_images(3, 9.0):
        with pytest.raises(Refusal) as caught, house.admit_images(2, 9.0):
            pass
        assert caught.value.kind is Kind.BUSY
        assert caught.value.retry_after == 1
        with house.admit_images(1, 9.0):
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


def test_who_would_wait_beyond_the_deadline_is_refused_at_once():
    now = [0.0]
    house = House(max_images=100, max_bytes=10, clock=lambda: now[0])
    with house.admit_images(1, 1.0) as stay:
        now[0] = 0.1  # a picture takes 0.1 s
        stay.is_answered()
    with house.admit_images(6, 1.0), house.admit_images(2, 1.0):  # 0.8 s of work
        with pytest.raises(Refusal) as caught, house.admit_images(1, 1.0):
            pass
        assert caught.value.kind is Kind.BUSY
        assert caught.value.retry_after == 1
        with pytest.raises(Refusal) as caught, house.admit_images(42, 1.0):
            pass
        assert caught.value.retry_after == 5  # 5 s of work for 0.8 s
        with house.admit_images(1, 2.0):
            assert house.images == 9


def test_an_empty_house_lets_in_and_the_estimate_is_made_anew():
    now = [0.0]
    house = House(max_images=100, max_bytes=10, clock=lambda: now[0])
    with house.admit_images(1, 1.0) as stay:
        now[0] += 60.0  # the machine slept
        stay.is_answered()
    for _ in range(80):
        with house.admit_images(1, 1.0) as stay:
            now[0] += 0.01
            stay.is_answered()
    with house.admit_images(1, 1.0), house.admit_images(1, 1.0) as stay:
        assert stay.images == 2


def test_a_request_that_fails_leaves_nothing_behind():
    house = House(max_images=4, max_bytes=10)
    with pytest.raises(ValueError, match="broken"), house.admit_images(2, 9.0):
        raise ValueError("broken")
    assert house.images == 0


def test_a_client_has_a_rate_of_its_own():
    now = [0.0]
    rates = Rates(0.3, lambda: now[0])
    for _ in range(3):
        rates.take(b"", "a")
    with pytest.raises(Refusal) as caught:
        rates.take(b"", "a")
    assert caught.value.kind is Kind.BUSY
    rates.take(b"", "b")
    rates.take(b"Bearer x", "a")
    now[0] = 3.5  # one more has come in
    rates.take(b"", "a")
    with pytest.raises(Refusal):
        rates.take(b"", "a")
    now[0] = 100.0  # never more than the burst
    for _ in range(3):
        rates.take(b"", "a")
    with pytest.raises(Refusal):
        rates.take(b"", "a")
