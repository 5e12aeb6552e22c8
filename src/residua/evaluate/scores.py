"""The probabilities of an evaluation, picture by picture, and their way into a file."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import SettingError
from residua.base.files import write_atomic
from residua.data.source import Source
from residua.evaluate.metrics import first_answers, nll
from residua.evaluate.multilabel import THRESHOLD


@dataclass(frozen=True, slots=True)
class Scores:
    """``probabilities`` float32 [M, classes] of the pictures at ``indices`` int64 [M], rising.

    Pictures that could not be read are not among them.
    """

    indices: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def right(self, source: Source) -> NDArray[np.bool_]:
        """Tell of each picture whether the first answer is right; multi-label: every class."""
        labels = source.labels[self.indices]
        if source.multi_label:
            held: NDArray[np.bool_] = ((self.probabilities >= THRESHOLD) == labels).all(axis=1)
            return held
        first: NDArray[np.bool_] = first_answers(self.probabilities) == labels
        return first

    def losses(self, source: Source) -> NDArray[np.float64]:
        """Return the negative log-likelihood of each single-label picture, in nats: [M]."""
        return nll(self.probabilities, source.labels[self.indices].astype(np.int64))


def merge_scores(parts: Sequence[Scores]) -> Scores:
    """Return the scores of all ``parts``, ordered by picture."""
    indices = np.concatenate([part.indices for part in parts])
    order = np.argsort(indices)
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Scores(indices[order], probabilities[order])


def save_scores(path: Path, scores: Scores, source: Source, *, top_k: int = 5) -> None:
    """Write the best ``top_k`` classes of each picture to ``path``, a .csv or .jsonl file.

    Raises SettingError for another suffix.
    """
    match path.suffix.lower():
        case ".csv":
            text = _spell_csv(_rows(scores, source, top_k))
        case ".jsonl":
            lines = [json.dumps(row, ensure_ascii=False) for row in _rows(scores, source, top_k)]
            text = "".join(f"{line}\n" for line in lines)
        case _:
            raise SettingError(
                f"Cannot tell the format of {path} from its name.",
                next_step="Let it end in .csv or .jsonl.",
            )
    # File names may hold bytes that are no Unicode.
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def _rows(scores: Scores, source: Source, top_k: int) -> Iterator[dict[str, Any]]:
    right, names = scores.right(source), source.classes.names
    for place, index in enumerate(scores.indices):
        row = scores.probabilities[place]
        best = np.argsort(-row, kind="stable")[:top_k]
        yield {
            "filename": source.names[index],
            "label": source.spell_label(int(index)),
            "right": bool(right[place]),
            "answers": [
                {"class": names[label], "probability": float(row[label])} for label in best
            ],
        }


def _spell_csv(rows: Iterator[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for number, row in enumerate(rows):
        if number == 0:
            places = range(1, len(row["answers"]) + 1)
            pairs = [
                name for place in places for name in (f"class_{place}", f"probability_{place}")
            ]
            writer.writerow(["filename", "label", "right", *pairs])
        cells = [f(a) for a in row["answers"] for f in (_class, _probability)]
        writer.writerow([row["filename"], row["label"], int(row["right"]), *cells])
    return buffer.getvalue()


def _class(answer: dict[str, Any]) -> str:
    return str(answer["class"])


def _probability(answer: dict[str, Any]) -> str:
    return f"{answer['probability']:.6f}"
