"""How much work is let in: bounded by pictures and by bytes, refused at once when full.

A request is let in before its body is read (bytes) and before anything is decoded (pictures), and
leaves when it is answered: memory is bounded by what is in the house.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from residua.base.clock import spell_bytes
from residua.serve.refusals import Kind, Refusal


class House:
    """Counts the pictures and bytes that are in it. Belongs to one event loop."""

    def __init__(
        self,
        *,
        max_images: int,
        max_bytes: int,
        told: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        """Nobody is in yet. ``told`` hears of every change: pictures, bytes."""
        self._told = told
        self.max_images = max_images
        self.max_bytes = max_bytes
        self.images = 0
        self.bytes = 0

    @contextmanager
    def admit_images(self, count: int) -> Iterator[None]:
        """Keep room for ``count`` pictures. Raises Refusal where the house is full."""
        if self.images + count > self.max_images:
            raise Refusal(
                Kind.BUSY,
                f"{self.images} pictures are being answered; the limit is {self.max_images}.",
                retry_after=1,
            )
        self.change(images=count)
        try:
            yield
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


class Luggage:
    """The bytes of one request that are in the house."""

    def __init__(self, house: House) -> None:
        """None yet."""
        self._house = house
        self.bytes = 0

    def grow(self, total: int) -> None:
        """Count ``total`` bytes from now on. Raises Refusal where the house is full."""
        more = max(0, total - self.bytes)
        if self._house.bytes + more > self._house.max_bytes:
            raise Refusal(
                Kind.BUSY,
                f"Requests of {spell_bytes(self._house.bytes)} are being answered; the limit is "
                f"{spell_bytes(self._house.max_bytes)}.",
                retry_after=1,
            )
        self._house.change(size=more)
        self.bytes += more
