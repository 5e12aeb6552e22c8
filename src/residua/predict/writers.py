"""Predictions as lines of text: JSON, CSV, or the document's line."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Literal

from residua.predict.results import Prediction

Format = Literal["json", "csv", "text", "table"]
FORMATS: tuple[Format, ...] = ("json", "csv", "text", "table")
_SUFFIXES: dict[str, Format] = {".json": "json", ".jsonl": "json", ".csv": "csv", ".txt": "text"}


def format_for(path: str) -> Format | None:
    """Return the format that the suffix of a file to save stands for, or None."""
    return _SUFFIXES.get(PurePath(path).suffix.lower())


def write_lines(predictions: Iterable[Prediction], form: Format) -> Iterator[str]:
    """Yield the lines of ``form`` ("json", "csv" or "text"), each with its line feed."""
    match form:
        case "csv":
            yield from _write_csv(predictions)
        case "text":
            for prediction in predictions:
                yield f"{spell_safely(_document_line(prediction))}\n"
        case _:
            for prediction in predictions:
                yield f"{spell_safely(json.dumps(prediction.to_dict(), ensure_ascii=False))}\n"


def spell_safely(text: str) -> str:
    r"""Spell what is no Unicode (file names may hold any bytes) as ``\udcXX``, as JSON does."""
    return text.encode("utf-8", "backslashreplace").decode()


def _document_line(prediction: Prediction) -> str:
    """The line that the PaddleClas document shows in section 2.3."""
    if prediction.error is not None:
        return f"error: {prediction.error}, filename: {prediction.filename}"
    return ", ".join(f"{key}: {value}" for key, value in prediction.to_dict().items())


def _write_csv(predictions: Iterable[Prediction]) -> Iterator[str]:
    """One row for each class of each picture, so that spreadsheets can sort and filter."""

    def line(*cells: object) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(cells)
        return spell_safely(buffer.getvalue())

    yield line("filename", "rank", "class_id", "score", "label_name", "error")
    for prediction in predictions:
        if prediction.error is not None:
            yield line(prediction.filename, "", "", "", "", prediction.error)
        elif not prediction.class_ids:
            yield line(prediction.filename, "", "", "", "", "")
        rows = zip(prediction.class_ids, prediction.scores, prediction.label_names, strict=True)
        for place, (class_id, score, label) in enumerate(rows, 1):
            yield line(prediction.filename, place, class_id, f"{score:.5f}", label, "")
