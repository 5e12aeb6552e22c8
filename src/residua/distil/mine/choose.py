"""The best pictures of each class, of any number that go by, in bounded memory."""

import numpy as np
from numpy.typing import NDArray


class Chooser:
    """Keeps the ``per_class`` highest scores of each class; of equal ones the earliest."""

    def __init__(self, classes: int, per_class: int, threshold: float) -> None:
        """Pictures below ``threshold`` are not kept; one that is takes 16 bytes."""
        self._classes, self._per_class, self._threshold = classes, per_class, threshold
        self._kept: list[NDArray[np.void]] = []
        self._size = 0
        self._limit = max(1 << 16, 2 * classes * per_class)

    def add(
        self, first: int, classes: NDArray[np.int32], scores: NDArray[np.float32],
        usable: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Look at pictures ``first``, ``first`` + 1, …: those that are ``usable`` may be kept."""
        wanted = np.flatnonzero(usable & (classes >= 0) & (scores >= self._threshold))
        rows = np.empty(len(wanted), dtype=_ROW)
        rows["class"], rows["score"] = classes[wanted], scores[wanted]
        rows["place"] = first + wanted
        self._kept.append(rows)
        self._size += len(rows)
        if self._size > self._limit:
            self._cut()

    def result(self) -> NDArray[np.void]:
        """Return what is kept in the order in which it came: class, score, place."""
        self._cut()
        return np.sort(self._kept[0], order="place")

    def _cut(self) -> None:
        rows = np.concatenate(self._kept) if self._kept else np.empty(0, dtype=_ROW)
        rows = rows[np.lexsort((rows["place"], -rows["score"], rows["class"]))]
        # The place of each row among those of its class, which stand together.
        starts = np.searchsorted(rows["class"], np.arange(self._classes))
        rank = np.arange(len(rows)) - starts[rows["class"]]
        rows = rows[rank < self._per_class]
        self._kept, self._size = [rows], len(rows)


_ROW = np.dtype([("class", np.int32), ("score", np.float32), ("place", np.int64)])
