"""How far probabilities can be believed: the expected calibration error and its bins.

Guo, Pleiss, Sun and Weinberger 2017 (arXiv 1706.04599, equation 3): answers are sorted by their
probability into 15 bins of equal width, ((m - 1) / 15, m / 15]; in an honest classifier the share
that is right equals the mean probability in each. The error is the mean of the absolute
differences, weighed by the answers in the bins.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
_EDGES = np.linspace(0, 1, BINS + 1)


@dataclass(slots=True)
class Reliability:
    """The bins, over the answers seen so far; reliabilities of parts add up to the whole's.

    Of single-label pictures the answers are the first ones with their probability; of multi-label
    ones every class of every picture, and right is a class that applies.
    """

    answers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    right: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    probability_sum: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))

    def add(self, probabilities: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
        """Count answers of ``probabilities`` [N] of which ``right`` [N] are."""
        exact = probabilities.astype(np.float64)
        bins = np.searchsorted(_EDGES[1:-1], exact)
        self.answers += np.bincount(bins, minlength=BINS)
        self.right += np.bincount(bins[right], minlength=BINS)
        self.probability_sum += np.bincount(bins, weights=exact, minlength=BINS)

    def merge(self, other: "Reliability") -> None:
        """Count what ``other`` has counted too."""
        self.answers += other.answers
        self.right += other.right
        self.probability_sum += other.probability_sum

    @property
    def error(self) -> float:
        """The expected calibration error (ECE), in 0…1; 0 where nothing was counted."""
        total = max(1, int(self.answers.sum()))
        return float(np.abs(self.right - self.probability_sum).sum()) / total

    def as_record(self) -> list[dict[str, Any]]:
        """Return one row for each bin, as plain JSON values; None in a bin without answers."""
        return [
            {
                "from": float(_EDGES[place]),
                "to": float(_EDGES[place + 1]),
                "answers": int(count),
                "right": int(self.right[place]) / int(count) if count else None,
                "probability": float(self.probability_sum[place]) / int(count) if count else None,
            }
            for place, count in enumerate(self.answers)
        ]
