"""Progress of long work, on standard error: a live line on a terminal, sparse lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from residua.base.clock import spell_seconds

T = TypeVar("T")


class Progress:
    """Counts work and shows count, rate and time left; silent for work of under two seconds."""

    def __init__(self, what: str, total: int | None = None, *, unit: str = "images") -> None:
        """``what`` is being done to ``total`` (None: unknown) ``unit``; shown on standard error."""
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self._live = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._anything_shown = False

    def advance(self, count: int = 1) -> None:
        """Note that ``count`` more are done; a terminal is told ten times a second."""
        self.done += count
        now = time.monotonic()
        if now - self._started > 2 and now - self._shown > (0.1 if self._live else 30):
            self._shown = now
            self._show(now)

    def _show(self, now: float) -> None:
        elapsed = max(now - self._started, 1e-9)
        rate = self.done / elapsed
        text = f"{self.what}: {self.done}"
        if self.total is not None:
            left = (self.total - self.done) / max(rate, 1e-9)
            text += f" of {self.total} {self.unit}, {rate:.1f} a second, {spell_seconds(left)} left"
        else:
            text += f" {self.unit}, {rate:.1f} a second"
        self._anything_shown = True
        _say(f"\r\x1b[2K{text}" if self._live else f"{text}\n")

    def close(self) -> None:
        """Clear the live line."""
        if self._live and self._anything_shown:
            _say("\r\x1b[2K")


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def progressing(
    items: Iterable[T], what: str, total: int | None = None, *, unit: str = "images"
) -> Iterator[T]:
    """Pass ``items`` on and show the progress of whoever consumes them."""
    progress = Progress(what, total, unit=unit)
    try:
        for item in items:
            yield item
            progress.advance()
    finally:
        progress.close()
