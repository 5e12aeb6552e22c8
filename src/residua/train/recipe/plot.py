"""The learning rate of a recipe over its epochs: as numbers, as text and as a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from residua.base.errors import MissingExtraError, SettingError
from residua.base.words import count_of
from residua.train.recipe.tree import Recipe
from residua.train.update.schedule import rate_factor

_LEVELS = " ▁▂▃▄▅▆▇█"
_SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class RatePoint:
    """The learning rate at an epoch, counted from 0 with its fraction."""

    epoch: float
    rate: float


def list_rates(recipe: Recipe, *, parts: int = 1) -> list[RatePoint]:
    """Return the rate at the start of each of ``parts`` equal parts of every epoch, and at the end.

    A plateau's falls depend on the validations to come and are not in it.
    """
    epochs = recipe.loop.epochs
    return [
        RatePoint(place / parts, _rate(recipe, place / parts))
        for place in range(epochs * parts + 1)
    ]


def draw_rates(recipe: Recipe, *, width: int = 72, height: int = 12) -> str:
    """Return the curve as text of ``height`` lines, ``width`` columns wide without its margin."""
    epochs = recipe.loop.epochs
    rates = [_rate(recipe, (column + 0.5) * epochs / width) for column in range(width)]
    # The peak may lie between two columns.
    peak = max(rates + [point.rate for point in list_rates(recipe)])
    labels = [f"{peak * (height - line) / height:.3g}" for line in range(height)]
    margin = max(len(label) for label in labels)
    eighths = [round(rate / peak * height * 8) for rate in rates]
    lines = []
    for line in range(height):
        floor = (height - 1 - line) * 8
        cells = "".join(_LEVELS[min(8, max(0, level - floor))] for level in eighths)
        label = labels[line] if line % 3 == 0 else ""
        lines.append(f"{label:>{margin}} ┤{cells}".rstrip())
    end = count_of(epochs, "epoch")
    lines.append(f"{'0':>{margin}} └{'─' * width}")
    lines.append(f"{'':>{margin}}  0{end:>{width - 1}}")
    return "\n".join(lines)


def save_plot(recipe: Recipe, path: Path, *, title: str = "") -> None:
    """Write the curve as a figure (.png, .svg or .pdf).

    Raises SettingError for another suffix, MissingExtraError without matplotlib.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingError(
            f"A figure cannot be written as {path.name!r}.",
            next_step=f"Use one of the suffixes {', '.join(_SUFFIXES)}.",
        )
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    points = list_rates(recipe, parts=max(1, 2000 // recipe.loop.epochs))
    axes.plot(*_columns(points), color="#2a6fbb", linewidth=1.6)
    axes.set(xlabel="epoch", ylabel="learning rate", xlim=(0, recipe.loop.epochs), title=title)
    axes.set_ylim(bottom=0)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def _rate(recipe: Recipe, epoch: float) -> float:
    return recipe.optimiser.lr * rate_factor(recipe.schedule, epoch, recipe.loop.epochs)


def _columns(points: Sequence[RatePoint]) -> tuple[list[float], list[float]]:
    return [point.epoch for point in points], [point.rate for point in points]
