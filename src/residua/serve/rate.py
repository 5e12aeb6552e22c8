"""How often one client may ask: a bucket of tokens for each, filled at a steady rate."""

from collections import OrderedDict
from collections.abc import Callable

from residua.serve.refusals import Kind, Refusal

_CLIENTS = 10_000  # the longest silent one is forgotten, whose bucket is full again by then


class Rates:
    """Buckets by client: ``rate`` requests a second, ``burst`` at once. Belongs to one loop."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        """Every bucket begins full."""
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count one request of ``client``. Raises Refusal where its bucket is empty."""
        now = self._clock()
        level, last = self._buckets.pop(client, (self._burst, now))
        level = min(self._burst, level + (now - last) * self._rate)
        self._buckets[client] = (max(level - 1, 0.0) if level >= 1 else level, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if level < 1:
            raise Refusal(
                Kind.BUSY, f"More than {self._rate:g} requests a second.",
                retry_after=max(1, round((1 - level) / self._rate)),
            )  # fmt: skip
