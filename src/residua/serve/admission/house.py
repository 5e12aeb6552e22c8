"""How much work is let in: bounded by pictures, by bytes and by time, refused at once when full.

A request is let in before its body is read (bytes) and before anything is decoded (pictures), and
leaves when it is answered: memory is bounded by what is in the house. One that would wait longer
than its deadline is not let in either: under overload a server that accepts it would spend its time
on answers that come too late.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from residua.base.clock import spell_bytes
from residua.serve.refusals import Kind, Refusal

_SHARE = 0.8  # of its deadline that a request may be expected to take, since that is an estimate
_WEIGHT = 0.1  # of the latest request in the estimate


class House:
    """Counts the pictures and bytes that are in it. Belongs to one event loop."""

    def __init__(
        self,
        *,
        max_images: int,
        max_bytes: int,
        told: Callable[[int, int], None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody is in yet. ``told`` hears of every change: pictures, bytes."""
        self._told = told
        self._clock = clock
        self._pace = 0.0  # seconds that a picture adds to the stay of who comes after it
        self.max_images = max_images
        self.max_bytes = max_bytes
        self.images = 0
        self.bytes = 0

    @contextmanager
    def admit_images(self, count: int, within: float) -> Iterator["Stay"]:
        """Keep room for ``count`` pictures that must be answered ``within`` seconds.

        Raises Refusal where the house is full, or so full that they would wait for longer; an
        empty house lets everyone in, so that the estimate is always made anew.
        """
        images = self.images + count
        if images > self.max_images:
            raise Refusal(
                Kind.BUSY,
                f"{self.images} pictures are being answered; the limit is {self.max_images}.",
                retry_after=1,
            )
        expected = images * self._pace
        if self.images and expected > _SHARE * within:
            raise Refusal(
                Kind.BUSY,
                f"{self.images} pictures are being answered: about {expected:.1f} s of work, where "
                f"this request has {within:g} s.",
                retry_after=max(1, math.ceil(expected - _SHARE * within)),
            )
        self.change(images=count)
        try:
            yield Stay(self, images, self._clock())
        finally:
            self.change(images=-count)

    @contextmanager
    def admit_bytes(self) -> Iterator["Luggage"]:
        """Return what a request's bytes are counted with as they come in."""
        luggage = Luggage(self)
        try:
            yield luggage
        finally:
            self.change(size=-luggage.bytes)

    def change(self, *, images: int = 0, size: int = 0) -> None:
        """Count what has come in or left."""
        self.images += images
        self.bytes += size
        self._told(self.images, self.bytes)

    def learn(self, images: int, since: float) -> None:
        """Note that one who came as the last of ``images`` at ``since`` has been answered."""
        pace = (self._clock() - since) / images
        self._pace = self._pace + _WEIGHT * (pace - self._pace) if self._pace else pace


@dataclass(frozen=True, slots=True)
class Stay:
    """A request in the house: how many pictures were in with its own, and since when."""

    house: House
    images: int
    since: float

    def is_answered(self) -> None:
        """Let the house learn how long that took."""
        self.house.learn(self.images, self.since)


class Luggage:
    """The bytes of one request that are in the house."""

    def __init__(self, house: House) -> None:
        """None yet."""
        self._house = house
        self.bytes = 0

    def ask(self, total: int) -> None:
        """Raise Refusal where ``total`` bytes would not fit in; they are counted as they come."""
        more = max(0, total - self.bytes)
        if self._house.bytes + more > self._house.max_bytes:
            raise Refusal(
                Kind.BUSY,
                f"Requests of {spell_bytes(self._house.bytes)} are being answered; the limit is "
                f"{spell_bytes(self._house.max_bytes)}.",
                retry_after=1,
            )

    def grow(self, total: int) -> None:
        """Count ``total`` bytes from now on. Raises Refusal where the house is full."""
        self.ask(total)
        more = max(0, total - self.bytes)
        self._house.change(size=more)
        self.bytes += more
