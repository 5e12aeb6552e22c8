"""Predictions as text: JSON lines, CSV, the document's line, or a table for a terminal."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from residua.predict.results import Prediction

Format = Literal["json", "csv", "text", "table"]
FORMATS: tuple[Format, ...] = ("json", "csv", "text", "table")
_SUFFIXES: dict[str, Format] = {".json": "json", ".jsonl": "json", ".csv": "csv", ".txt": "text"}
_ROWS_AT_ONCE = 16  # a table is printed in parts, so that it appears while the work goes on


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
                yield f"{_safe(_document_line(prediction))}\n"
        case _:
            for prediction in predictions:
                yield f"{_safe(json.dumps(prediction.to_dict(), ensure_ascii=False))}\n"


def _safe(text: str) -> str:
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
        return _safe(buffer.getvalue())

    yield line("filename", "rank", "class_id", "score", "label_name", "error")
    for prediction in predictions:
        if prediction.error is not None:
            yield line(prediction.filename, "", "", "", "", prediction.error)
        elif not prediction.class_ids:
            yield line(prediction.filename, "", "", "", "", "")
        rows = zip(prediction.class_ids, prediction.scores, prediction.label_names, strict=True)
        for place, (class_id, score, label) in enumerate(rows, 1):
            yield line(prediction.filename, place, class_id, f"{score:.5f}", label, "")


def print_table(predictions: Iterable[Prediction], console: Console) -> None:
    """Print a table in parts of a few rows, as the predictions come."""
    rows = iter(predictions)
    header = True
    names = max(12, console.width * 3 // 8)
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        table = Table(box=None, expand=True, show_header=header, pad_edge=False)
        table.add_column("picture", width=names, no_wrap=True)
        table.add_column("score", width=6, justify="right")
        if bars := console.width >= 72:
            table.add_column("", width=10)
        table.add_column("class", ratio=1)
        for prediction in part:
            for row in _make_rows(prediction, names):
                table.add_row(*(row if bars else (*row[:2], row[3])))
        console.print(table)
        header = False


def _make_rows(prediction: Prediction, width: int) -> Iterator[tuple[Text, Text, Text, Text]]:
    """Yield picture, score, bar and class for each class of one picture."""
    name = _safe(prediction.filename)
    # The end of a path tells pictures apart, so it is the beginning that gives way.
    shown = Text(name if len(name) <= width else f"…{name[1 - width :]}")
    none = Text("")
    if prediction.error is not None:
        reason = prediction.error.removeprefix(prediction.filename).lstrip(": ")
        yield shown, none, none, Text(_safe(reason), style="red")
    elif not prediction.class_ids:
        yield shown, none, none, Text("no class reaches the threshold", style="dim")
    pairs = zip(prediction.scores, prediction.label_names, strict=True)
    for place, (score, label) in enumerate(pairs):
        style = "bold" if place == 0 else "dim"
        bar = Text("█" * round(score * 10), style="green" if place == 0 else "dim green")
        picture = shown if place == 0 else none
        yield picture, Text(f"{score:.1%}", style=style), bar, Text(label, style=style)
