"""Predictions as a table for a terminal. Apart from the other forms: rich takes 0.1 s to import."""

from collections.abc import Iterable, Iterator
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from residua.predict.results import Prediction
from residua.predict.writers import spell_safely

_ROWS_AT_ONCE = 16  # a table is printed in parts, so that it appears while the work goes on


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
    name = spell_safely(prediction.filename)
    # The end of a path tells pictures apart, so it is the beginning that gives way.
    shown = Text(name if len(name) <= width else f"…{name[1 - width :]}")
    none = Text("")
    if prediction.error is not None:
        reason = prediction.error.removeprefix(prediction.filename).lstrip(": ")
        yield shown, none, none, Text(spell_safely(reason), style="red")
    elif not prediction.class_ids:
        yield shown, none, none, Text("no class reaches the threshold", style="dim")
    pairs = zip(prediction.scores, prediction.label_names, strict=True)
    for place, (score, label) in enumerate(pairs):
        style = "bold" if place == 0 else "dim"
        bar = Text("█" * round(score * 10), style="green" if place == 0 else "dim green")
        picture = shown if place == 0 else none
        yield picture, Text(f"{score:.1%}", style=style), bar, Text(label, style=style)
