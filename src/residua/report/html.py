"""Facts to one HTML file: the template filled in, charts and style inline."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from residua.base.clock import spell_bytes
from residua.base.version import __version__
from residua.report.facts import Facts
from residua.report.history import History
from residua.report.plots import (
    Series,
    Spell,
    draw_histogram,
    draw_lines,
    draw_matrix,
    draw_reliability,
)
from residua.report.words import (
    describe_confidence,
    describe_training,
    list_hashes,
    list_provenance,
    shorten,
    spell_count,
    spell_digits,
    spell_recipe,
    spell_share,
    spell_tick,
    summarise,
)

_SHOWN = 25  # rows of a table before the rest is folded
_HEADINGS = {
    "training": "Training",
    "confusion": "Confusion",
    "classes": "Classes",
    "mistakes": "Worst mistakes",
    "confidence": "Confidence",
    "speed": "Speed and size",
    "data": "Data",
    "provenance": "Provenance",
}


@dataclass(frozen=True, slots=True)
class Charts:
    """The charts as SVG; empty where the page leaves them out. Widths are in pixels."""

    curves: dict[str, str]
    matrix: str
    matrix_width: int
    matrix_least: int
    reliability: str
    histogram: str


def render(facts: Facts) -> str:
    """Return the page as HTML; whatever a class or a file is called, it is text there."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": spell_share, "count_of": spell_count, "digits": spell_digits,
        "bytes": spell_bytes, "short": shorten,
    }  # fmt: skip
    folder = files("residua.report")
    charts, multi_label = _draw(facts), facts.manifest.task == "multi-label"
    absent = {"confusion", "mistakes"} if multi_label else set()
    if not charts.curves:
        absent.add("training")
    page: str = environment.from_string(_read(folder, "report.html.j2")).render(
        facts=facts,
        style=_read(folder, "style.css"),
        charts=charts,
        headings={name: text for name, text in _HEADINGS.items() if name not in absent},
        version=__version__,
        shown=_SHOWN,
        greatest=max(1, *(number for _, number in facts.counts)),
        multi_label=multi_label,
        summary=summarise(facts),
        training=describe_training(facts.history) if facts.history else "",
        confidence=describe_confidence(facts.reliability, facts.manifest),
        provenance=list_provenance(facts),
        hashes=list_hashes(facts),
        recipe=spell_recipe(facts),
    )
    return page


def _read(folder: Any, name: str) -> str:
    text: str = folder.joinpath(name).read_text(encoding="utf-8")
    return text


def _draw(facts: Facts) -> Charts:
    confusion, bins = facts.confusion, facts.reliability
    matrix, width = draw_matrix(confusion) if confusion else ("", 0)
    filled = np.maximum(bins.answers, 1)
    return Charts(
        curves=_draw_curves(facts.history) if facts.history else {},
        matrix=matrix,
        matrix_width=width,
        matrix_least=min(width, 300 if width < 600 else 620),
        reliability=draw_reliability(
            bins.probability_sum / filled, bins.right / filled, bins.answers
        ),
        histogram=draw_histogram(bins.right, bins.answers - bins.right),
    )


def _draw_curves(history: History) -> dict[str, str]:
    """Return the curves of a run by heading, those that it has points for."""
    epochs = history.epochs
    losses = [
        Series("training", _points([(one.epoch, one.train_loss) for one in epochs])),
        Series("validation", _points([(one.epoch, one.val_loss) for one in epochs]), tone=1),
    ]
    top1 = Series("top-1", _points([(one.epoch, one.top1) for one in epochs]), tone=1)
    mean = Series("mAP", _points([(one.epoch, one.map) for one in epochs]), tone=1)
    rate = Series("learning rate", history.rates, tone=2, dots=len(history.rates) <= 12)
    charts: dict[str, tuple[list[Series], Spell]] = {
        "Loss": (losses, "{:.2f}".format),
        "Top-1, validation": ([top1], spell_tick),
        "mAP, validation": ([mean], spell_tick),
        "Learning rate": ([rate], _spell_rate),
    }
    dotted = len(epochs) <= 40
    return {
        heading: draw_lines(
            heading, [_dot(one, dotted) for one in series], spell, share=spell is spell_tick
        )
        for heading, (series, spell) in charts.items()
        if any(len(one.points) for one in series)
    }


def _dot(series: Series, dotted: bool) -> Series:
    return Series(series.name, series.points, series.tone, dots=series.dots and dotted)


def _points(pairs: Sequence[tuple[float, float | None]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in pairs if y is not None)


def _spell_rate(value: float) -> str:
    return f"{value:.2g}"
