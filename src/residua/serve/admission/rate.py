"""How often one client may ask: a bucket of tokens for each, filled at a steady rate."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from residua.serve.refusals import Kind, Refusal

_CLIENTS = 10_000  # the longest silent one is forgotten, whose bucket is full again by then
_BURST = 10.0  # seconds' worth that may come at once


class Rates:
    """Buckets by client, for all protocols together. Belongs to one loop."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """``rate`` requests a second, None for any; every bucket begins full."""
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, token: bytes, address: str) -> None:
        """Count one request of a client, who is known by a valid token, else by the address.

        Raises Refusal where the client's bucket is empty.
        """
        if self._rate is None:
            return
        client = hashlib.sha256(token).hexdigest() if token else address
        burst, now = max(1.0, _BURST * self._rate), self._clock()
        level, last = self._buckets.pop(client, (burst, now))
        level = min(burst, level + (now - last) * self._rate)
        self._buckets[client] = (level - 1 if level >= 1 else level, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if level < 1:
            raise Refusal(
                Kind.BUSY, f"More than {self._rate:g} requests a second.",
                retry_after=max(1, round((1 - level) / self._rate)),
            )  # fmt: skip
