"""Decoded pictures kept in memory, within a budget of bytes."""

import threading

import numpy as np
from numpy.typing import NDArray

DEFAULT_BUDGET = 1 << 30  # bytes


class PixelCache:
    """Pixels by position and scale, kept until the budget is spent; then nothing is evicted.

    With a random order every picture is equally far from its next use, so nothing is gained by
    evicting. What is read from here equals what decoding gives, so a budget changes no result.
    """

    def __init__(self, budget: int = DEFAULT_BUDGET) -> None:
        """``budget`` in bytes; 0 keeps nothing."""
        self.budget = budget
        self.used = 0
        self._kept: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def get(self, index: int, scale: int = 1) -> NDArray[np.uint8] | None:
        """Return the pixels of ``index`` at 1/``scale``, or None."""
        return self._kept.get((index, scale))

    def has_room(self, count: int) -> bool:
        """Tell whether ``count`` more bytes would be kept."""
        return self.used + count <= self.budget

    def offer(self, index: int, pixels: NDArray[np.uint8], scale: int = 1) -> None:
        """Keep ``pixels`` (they must not be written to afterwards) if the budget allows."""
        with self._lock:
            if (index, scale) not in self._kept and self.has_room(pixels.nbytes):
                self._kept[index, scale] = pixels
                self.used += pixels.nbytes
