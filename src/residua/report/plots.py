"""The charts of the report: curves, confusion matrix, reliability, histogram of confidence."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.report.facts import Confusion
from residua.report.svg import Drawing, Scale, round_ticks, spread_labels, whole_ticks
from residua.report.words import shorten, spell_axis, spell_count, spell_share, spell_tick

_WIDTH, _HEIGHT = 340.0, 220.0  # of a chart, in units that are pixels on a phone
_WIDE, _HIGH = 400.0, 290.0  # of the two charts of confidence
_LEFT, _TOP, _BOTTOM = 46.0, 12.0, 34.0
_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_CHARACTER = 6.4  # mean width of a character of a label, in units
Spell = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of points (x, y); ``tone`` 0, 1, … is its colour. ``dots`` marks the points."""

    name: str
    points: tuple[tuple[float, float], ...]
    tone: int = 0
    dots: bool = True


def draw_lines(
    label: str,
    series: Sequence[Series],
    spell: Spell,
    *,
    unit: str = "epoch",
    share: bool = False,
) -> str:
    """Return a chart of lines over whole numbers of ``unit``; each line is named at its end.

    ``spell`` is for the values pointed at; the axis has percentages where they are a ``share``.
    """
    series = [line for line in series if line.points]
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    named = len(series) > 1
    margin = 10 + (max(len(line.name) for line in series) * _CHARACTER if named else 0)
    ticks = round_ticks(min(ys), max(ys))
    first = min(xs)
    last = max(*xs, first + 1)
    marks = spell_axis(ticks, share=share)
    left = max(_LEFT, 10 + _CHARACTER * max(map(len, marks)))
    across = Scale(first, last, left, _WIDTH - margin)
    down = Scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    drawing = Drawing(_WIDTH, _HEIGHT, label)
    _draw_rows(drawing, down, ticks, marks, across)
    for tick in whole_ticks(int(np.ceil(first)), int(last)):
        drawing.add("text", x=across.at(tick), y=_HEIGHT - _BOTTOM + 16, class_="tick middle",
                    text=str(tick))  # fmt: skip
    middle = (across.start + across.end) / 2
    drawing.add("text", x=middle, y=_HEIGHT - 3, class_="axis middle", text=unit)
    ends = spread_labels([down.at(line.points[-1][1]) for line in series], 15.0)
    for line, end in zip(series, ends, strict=True):
        places = [(across.at(x), down.at(y)) for x, y in line.points]
        spelt = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawing.add("polyline", points=spelt, class_=f"line tone{line.tone}")
        for (x, y), (given, value) in zip(places, line.points, strict=True):
            if line.dots:
                hover = f"{line.name}, {unit} {given:g}: {spell(value)}"
                drawing.add("circle", cx=x, cy=y, r=3.0, class_=f"dot tone{line.tone}", hover=hover)
        if named:
            drawing.add("text", x=places[-1][0] + 7, y=end + 4, class_=f"name tone{line.tone}",
                        text=line.name)  # fmt: skip
    return drawing.render()


def draw_matrix(confusion: Confusion) -> tuple[str, int]:
    """Return a confusion matrix and its natural width in pixels.

    A row is a class, a column an answer. The shade is the square root of the share of the row, so
    that rare mistakes are seen too.
    """
    counts, rows, columns = confusion.counts, confusion.rows, confusion.columns
    cell = 74.0 if len(rows) <= 6 else 44.0 if len(rows) <= 12 else 30.0
    left = 14 + _CHARACTER * max(len(shorten(name, 18)) for name in rows)
    # Answers stand upright where they fit over their column, else slanted.
    longest = _CHARACTER * max(len(shorten(name, 18)) for name in columns)
    slanted = longest > cell + 4
    top = 18 + (longest * 0.75 if slanted else 8)
    width = left + cell * len(columns) + (longest * 0.66 if slanted else 4)
    drawing = Drawing(width, top + cell * len(rows) + 4, "Confusion matrix")
    for column, name in enumerate(columns):
        x = left + cell * (column + 0.5)
        turn = {"transform": f"rotate(-48 {x:.1f} {top - 8:.1f})"} if slanted else {}
        drawing.add("text", x=x, y=top - 8, class_="tick" if slanted else "tick middle",
                    text=shorten(name, 18), hover=name, **turn)  # fmt: skip
    totals = counts.sum(axis=1)
    for row, name in enumerate(rows):
        y = top + cell * row
        drawing.add("text", x=left - 8, y=y + cell / 2 + 4, class_="tick end",
                    text=shorten(name, 18), hover=name)  # fmt: skip
        drawing.add("rect", x=left, y=y + 1, width=cell * len(columns), height=cell - 2,
                    class_="empty")  # fmt: skip
        for column in np.flatnonzero(counts[row]).tolist():
            count, share = int(counts[row, column]), float(counts[row, column] / totals[row])
            right = column == confusion.right[row]
            what = "recognised" if right else f"taken for {columns[column]}"
            hover = f"{name} {what}: {count} of {totals[row]} ({spell_share(share)})"
            depth, x = math.sqrt(share), left + cell * int(column)
            drawing.add("rect", x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, rx=3.0,
                        class_="good" if right else "bad", fill_opacity=f"{depth:.2f}",
                        hover=hover)  # fmt: skip
            drawing.add("text", x=x + cell / 2, y=y + cell / 2 + 4, text=str(count),
                        class_=f"count middle{' strong' if depth > 0.6 else ''}")  # fmt: skip
    return drawing.render(), round(width)


def draw_reliability(
    confidences: NDArray[np.float64], accuracies: NDArray[np.float64], counts: NDArray[np.int64]
) -> str:
    """Return a reliability plot: accuracy against mean confidence, a bar for each filled bin.

    All are [bins]; what a bin of no pictures holds does not matter.
    """
    drawing = Drawing(_WIDE, _HIGH, "Reliability plot")
    across = Scale(0, 1, _LEFT, _WIDE - 16)
    down = Scale(0, 1, _HIGH - _BOTTOM, _TOP)
    _draw_rows(drawing, down, _SHARES, [spell_tick(share) for share in _SHARES], across)
    _draw_columns(drawing, across, down.start)
    wide = (across.end - across.start) / len(counts)
    for number in np.flatnonzero(counts):
        confidence, accuracy = float(confidences[number]), float(accuracies[number])
        hover = (
            f"{counts[number]} pictures: {spell_share(confidence)} sure, "
            f"{spell_share(accuracy)} right"
        )
        x, lower, upper = (
            across.start + wide * float(number), min(accuracy, confidence),
            max(accuracy, confidence),
        )  # fmt: skip
        drawing.add("rect", x=x + 1, y=down.at(lower), width=wide - 2,
                    height=down.start - down.at(lower), class_="good", hover=hover)  # fmt: skip
        kind = "over" if confidence > accuracy else "under"
        drawing.add("rect", x=x + 1, y=down.at(upper), width=wide - 2,
                    height=down.at(lower) - down.at(upper), class_=kind, hover=hover)  # fmt: skip
    drawing.add("line", x1=across.at(0), y1=down.at(0), x2=across.at(1), y2=down.at(1),
                class_="diagonal")  # fmt: skip
    return drawing.render()


def draw_histogram(right: NDArray[np.int64], wrong: NDArray[np.int64]) -> str:
    """Return how many answers have which confidence, right ones below wrong ones: both [bins]."""
    total = right + wrong
    ticks = round_ticks(0, max(4, int(total.max())))  # of fewer there would be halves
    marks = [spell_count(tick) for tick in ticks]
    left = 16 + _CHARACTER * len(marks[-1])
    drawing = Drawing(_WIDE, _HIGH, "Histogram of confidence")
    across = Scale(0, 1, left, _WIDE - 16)
    down = Scale(0, ticks[-1], _HIGH - _BOTTOM, _TOP)
    _draw_rows(drawing, down, ticks, marks, across)
    _draw_columns(drawing, across, down.start)
    wide = (across.end - across.start) / len(total)
    for number in np.flatnonzero(total):
        x, first = across.start + wide * float(number), number / len(total)
        hover = (
            f"{spell_tick(first)} to {spell_tick(first + 1 / len(total))}: "
            f"{right[number]} right, {wrong[number]} wrong"
        )
        below, above = down.at(float(right[number])), down.at(float(total[number]))
        drawing.add("rect", x=x + 1, y=below, width=wide - 2, height=down.start - below,
                    class_="good", hover=hover)  # fmt: skip
        drawing.add("rect", x=x + 1, y=above, width=wide - 2, height=below - above,
                    class_="bad", hover=hover)  # fmt: skip
    return drawing.render()


def _draw_rows(
    drawing: Drawing, down: Scale, ticks: Sequence[float], marks: Sequence[str], across: Scale
) -> None:
    """Draw a faint line and its mark for each tick of the vertical axis."""
    left, end = across.start, across.end
    for number, (tick, mark) in enumerate(zip(ticks, marks, strict=True)):
        y = down.at(tick)
        kind = "base" if number == 0 else "grid"
        drawing.add("line", x1=left, y1=y, x2=end, y2=y, class_=kind)
        drawing.add("text", x=left - 7, y=y + 4, class_="tick end", text=mark)


def _draw_columns(drawing: Drawing, across: Scale, bottom: float) -> None:
    """Write the shares of a horizontal axis of confidence."""
    for share in _SHARES:
        drawing.add("text", x=across.at(share), y=bottom + 16, class_="tick middle",
                    text=spell_tick(share))  # fmt: skip
    middle = (across.start + across.end) / 2
    drawing.add("text", x=middle, y=bottom + 31, class_="axis middle", text="confidence")
