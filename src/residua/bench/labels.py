"""Where the names of marks go: beside them, on no other name, mark or line where there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

_CHARACTER = 7.3  # mean width of a letter, in units
_HALF = 8.0  # half the height of a line of text
_AIR = 11.0  # from the middle of a mark to its name
# How bad it is to lie on another name, on a mark, on a line, outside; a step of a worse place.
_ON_NAME, _ON_MARK, _ON_LINE, _OUTSIDE, _STEP = 40.0, 12.0, 2.5, 500.0, 0.6

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """A name of which the left end lies at ``x`` and the middle of the line at ``y``.

    ``far`` tells that it is not beside its mark, so that a line must lead there.
    """

    text: str
    x: float
    y: float
    far: bool
    leftwards: bool = False  # of its mark: written so that it ends at the right place

    @property
    def width(self) -> float:
        """The width of the text in units, as estimated."""
        return measure_text(self.text)


def measure_text(text: str) -> float:
    """Return the width of ``text`` in units, as estimated."""
    return _CHARACTER * len(text)


def place_labels(
    names: Sequence[tuple[str, Point]],
    dots: Sequence[Point],
    lines: Sequence[tuple[Point, Point]],
    bounds: tuple[float, float, float, float],
) -> list[Label]:
    """Return a label for each of ``names`` and its mark, one after the other, each at its best.

    ``bounds`` are left, top, right and bottom of where names may be.
    """
    placed: list[Label] = []
    for name, mark in names:
        choices = [
            (_judge(label, placed, dots, lines, bounds) + _STEP * number, number, label)
            for number, label in enumerate(_propose(name, *mark))
        ]
        placed.append(min(choices, key=lambda choice: choice[:2])[2])
    return placed


def _propose(name: str, x: float, y: float) -> list[Label]:
    """Return places around a mark, the usual ones first."""
    wide = measure_text(name)
    right, left, centred = x + _AIR, x - _AIR - wide, x - wide / 2
    near = [(right, y), (left, y), (centred, y - 16), (centred, y + 16)]
    far = [(at, y + step) for step in (-15, 15, -28, 28, -42, 42) for at in (right + 4, left - 4)]
    return [
        Label(name, at, height, far=number >= len(near), leftwards=at <= left)
        for number, (at, height) in enumerate([*near, *far])
    ]


def _judge(
    label: Label,
    placed: Sequence[Label],
    dots: Sequence[Point],
    lines: Sequence[tuple[Point, Point]],
    bounds: tuple[float, float, float, float],
) -> float:
    """Return how bad a place is; 0 is free on all sides."""
    left, right = label.x, label.x + label.width
    top, bottom = label.y - _HALF, label.y + _HALF
    bad = 0.0
    if left < bounds[0] or top < bounds[1] or right > bounds[2] or bottom > bounds[3]:
        bad += _OUTSIDE
    for other in placed:
        beside = right < other.x or other.x + other.width < left
        bad += 0 if beside or abs(other.y - label.y) >= 2 * _HALF - 2 else _ON_NAME
    for x, y in dots:
        bad += _ON_MARK if left - 5 < x < right + 5 and top - 3 < y < bottom + 3 else 0
    for (x1, y1), (x2, y2) in lines:
        for step in range(9):  # of a line the part under the text, roughly
            x = left + (right - left) * step / 8
            if min(x1, x2) < x < max(x1, x2):
                y = y1 + (y2 - y1) * (x - x1) / (x2 - x1)
                bad += _ON_LINE if top + 2 < y < bottom - 2 else 0
    return bad
