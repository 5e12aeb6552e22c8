"""What a prediction is, and how probabilities become one."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Classes, Manifest


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes of one picture, best first; or the reason why there are none.

    ``scores`` are probabilities. A picture that could not be used has empty lists, ``error`` in
    words and ``reason`` as a short code ("not-an-image", "too-large", "damaged", "unreadable").
    """

    filename: str
    class_ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    label_names: list[str] = field(default_factory=list)
    error: str | None = None
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the picture could be used."""
        return self.error is None

    def to_dict(self) -> dict[str, Any]:
        """Return the record that ``--json`` prints; scores have the document's five decimals."""
        if self.error is not None:
            return {"filename": self.filename, "error": self.error, "reason": self.reason}
        return {
            "class_ids": self.class_ids,
            "scores": [round(score, 5) for score in self.scores],
            "label_names": self.label_names,
            "filename": self.filename,
        }


def choose_cut(manifest: Manifest, top_k: int | None, threshold: float | None) -> tuple[int, float]:
    """Return how many classes are shown at the most, and the least probability of one.

    None means the five best; of a multi-label classifier all from 0.5 on. Raises SettingError.
    """
    if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
        raise SettingError(f"top_k is {top_k}; it must be a whole number from 1 on.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise SettingError(f"threshold is {threshold}; it must lie in 0…1.")
    multi = manifest.task == "multi-label"
    if top_k is None:
        top_k = len(manifest.classes) if multi else 5
    if threshold is None:
        threshold = 0.5 if multi else 0.0
    return top_k, threshold


def find_best(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the ``count`` greatest of a row [classes], the greatest first.

    Equal ones are in the order of their indices.
    """
    places = np.arange(len(probabilities))
    if count < len(probabilities):
        least = -np.partition(-probabilities, count - 1)[count - 1]
        places = np.flatnonzero(probabilities >= least)
    order: np.ndarray = places[np.argsort(-probabilities[places], kind="stable")][:count]
    return order


def rank(
    probabilities: np.ndarray, classes: Classes, *, filename: str, top_k: int, threshold: float
) -> Prediction:
    """Return the ``top_k`` best classes of one picture whose probability reaches ``threshold``.

    Equal probabilities are ordered by class, so that the answer does not depend on the engine.
    """
    order = find_best(probabilities, top_k)
    kept = [int(index) for index in order if probabilities[index] >= threshold]
    return Prediction(
        filename=filename,
        class_ids=kept,
        scores=[float(probabilities[index]) for index in kept],
        label_names=[classes.names[index] for index in kept],
    )
