"""The picture of a benchmark: accuracy against latency, as in the document that we come from.

A mark is a model in a precision, on the engine that is the quickest there; a line joins the models
of one kind (vd, SE, …) in one precision. The latency's axis is logarithmic.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from residua.base.errors import SettingError
from residua.bench.labels import place_labels
from residua.bench.record import Benchmark, Latency, Measurement
from residua.report.svg import Drawing, Scale, round_ticks

_WIDTH, _HEIGHT = 900.0, 620.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 66.0, 86.0, 70.0, 58.0
_CHARACTER = 7.0  # mean width of a letter, in units
_ORDER = ("fp32", "fp16", "bf16", "int8")
_LIGHT = {"fp32": "#1f6f8b", "fp16": "#8a6d1d", "bf16": "#6d597a", "int8": "#c8553d"}
_DARK = {"fp32": "#5fb3cf", "fp16": "#d9b95c", "bf16": "#b79bc9", "int8": "#ec8468"}
# Colours stand in the file itself, and no variables: not every viewer knows them.
_STYLE = """
svg{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
.page{fill:#fff}.title{font-size:19px;font-weight:650;fill:#1c2126}.soft,.tick{fill:#5d6670}
.tick{font-size:12px}.label{fill:#1c2126;font-size:12.5px;
paint-order:stroke;stroke:#fff;stroke-width:3.5px;stroke-linejoin:round}.grid{stroke:#ecebe7}
.base{stroke:#8b939c}.guide{stroke:#c9c7c1;stroke-dasharray:1.5 3.5}.middle{text-anchor:middle}
.end{text-anchor:end}.line{fill:none;stroke-width:1.6;stroke-opacity:.5}.dot{stroke:#fff;
stroke-width:1.5}.leader{stroke:#b9b7b1}
"""
_NIGHT = """
.page{fill:#14171a}.title,.label{fill:#e8e6e1}.soft,.tick{fill:#a5adb5}.grid{stroke:#282d32}
.base{stroke:#7b848d}.guide,.leader{stroke:#4a5157}.dot,.label{stroke:#14171a}
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A model in a precision: milliseconds of one image and top-1 in 0…1."""

    model: str
    kind: str
    precision: str
    engine: str
    milliseconds: float
    top1: float


def draw_picture(benchmark: Benchmark) -> str:
    """Return the picture as a whole SVG file, light or dark as the viewer is.

    Raises SettingError where no model has both an accuracy and a latency.
    """
    batch = _smallest_batch(benchmark)
    marks = choose_marks(benchmark, batch)
    if not marks:
        raise SettingError(
            "There is nothing to draw: no model that was measured has a known accuracy.",
            next_step="Evaluate the bundle first (residua evaluate), or name models of the zoo.",
        )
    drawing = Drawing(_WIDTH, _HEIGHT, "Accuracy against latency")
    across = _span([mark.milliseconds for mark in marks], _LEFT, _WIDTH - _RIGHT)
    ticks = round_ticks(*_widen([100 * mark.top1 for mark in marks]), 6)
    down = Scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    _draw_axes(drawing, across, down, ticks, batch)
    _draw_heading(drawing, benchmark, marks)
    _draw_lines(drawing, marks, across, down)
    _draw_labels(drawing, marks, across, down)
    _draw_dots(drawing, marks, across, down)
    return _finish(drawing)


def choose_marks(benchmark: Benchmark, batch: int) -> list[Mark]:
    """Return a mark for each model and precision, of the quickest engine with batches of that."""
    best: dict[tuple[str, str], Mark] = {}
    for one in benchmark.measurements:
        latency = _find(one, batch)
        if latency is None or one.top1 is None:
            continue
        mark = Mark(one.model, name_kind(one), one.precision, one.engine,
                    latency.median / batch, one.top1)  # fmt: skip
        known = best.get((one.model, one.precision))
        if known is None or mark.milliseconds < known.milliseconds:
            best[one.model, one.precision] = mark
    return list(best.values())


def name_kind(one: Measurement) -> str:
    """Return what models have in common that differ in depth alone.

    "SE_ResNet50_vd_ssld" and "SE_ResNet18_vd_ssld" are both "SE_ResNet_vd_ssld".
    """
    return re.sub(r"(Net|NeXt)\d+", r"\1", one.model, count=1)


def _smallest_batch(benchmark: Benchmark) -> int:
    return min((each.batch for one in benchmark.measurements for each in one.latency), default=1)


def _find(one: Measurement, batch: int) -> Latency | None:
    return next((each for each in one.latency if each.batch == batch), None)


def _span(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a scale of the logarithm of ``values``, with some air on both sides."""
    low, high = math.log10(min(values)), math.log10(max(values))
    air = max(0.06 * (high - low), 0.05)
    return Scale(low - air, high + air, start, end)


def _widen(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    air = max(0.05 * (high - low), 0.5)
    return max(0.0, low - air), min(100.0, high + air)


def _round_times(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between ``low`` and ``high``."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wanted = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    return [time for time in wanted if low <= time <= high]


def _draw_axes(
    drawing: Drawing, across: Scale, down: Scale, ticks: Sequence[float], batch: int
) -> None:
    for tick in ticks:
        y = down.at(tick)
        kind = "base" if tick == ticks[0] else "grid"
        drawing.add("line", x1=across.start, y1=y, x2=_WIDTH - 22, y2=y, class_=kind)
        drawing.add("text", x=across.start - 8, y=y + 4, class_="tick end", text=f"{tick:g} %")
    for time in _round_times(10**across.low, 10**across.high):
        x = across.at(math.log10(time))
        drawing.add("line", x1=x, y1=down.start, x2=x, y2=down.end, class_="grid")
        drawing.add("text", x=x, y=down.start + 18, class_="tick middle", text=f"{time:g}")
    middle = (across.start + across.end) / 2
    what = "milliseconds" if batch == 1 else f"milliseconds an image, batch {batch}"
    drawing.add("text", x=middle, y=_HEIGHT - 14, class_="soft middle", text=what)


def _draw_heading(drawing: Drawing, benchmark: Benchmark, marks: Sequence[Mark]) -> None:
    """Write title, machine and the precisions' colours."""
    of = {one.top1_of for one in benchmark.measurements if one.top1 is not None and one.latency}
    data = of.pop() if len(of) == 1 else "the data that each was evaluated on"
    cores = f"{benchmark.threads} core{'s' if benchmark.threads > 1 else ''}"
    where = benchmark.machine.get("gpu", f"{benchmark.machine['processor']}, {cores}")
    drawing.add("text", x=22.0, y=32.0, class_="title", text="Accuracy against latency")
    drawing.add("text", x=22.0, y=53.0, class_="soft", text=f"top-1 on {data}; {where}")
    x = _WIDTH - 22.0
    for precision in reversed(_sort({mark.precision for mark in marks})):
        engines = sorted({mark.engine for mark in marks if mark.precision == precision})
        text = f"{precision}, {' or '.join(engines)}"
        drawing.add("text", x=x, y=32.0, class_="soft end", text=text)
        x -= _CHARACTER * len(text) + 8
        drawing.add("circle", cx=x, cy=27.5, r=5.0, class_=f"dot {precision}")
        x -= 24


def _sort(precisions: set[str]) -> list[str]:
    return sorted(precisions, key=_ORDER.index)


def _join(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Return the models of one kind in one precision, from the quickest on."""
    kinds: dict[tuple[str, str], list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.milliseconds):
        kinds.setdefault((mark.kind, mark.precision), []).append(mark)
    return [joined for joined in kinds.values() if len(joined) > 1]


def _draw_lines(drawing: Drawing, marks: Sequence[Mark], across: Scale, down: Scale) -> None:
    for joined in _join(marks):
        points = " ".join("{:.1f},{:.1f}".format(*_place(mark, across, down)) for mark in joined)
        drawing.add("polyline", points=points, class_=f"line {joined[0].precision}")


def _place(mark: Mark, across: Scale, down: Scale) -> tuple[float, float]:
    return across.at(math.log10(mark.milliseconds)), down.at(100 * mark.top1)


def _draw_labels(drawing: Drawing, marks: Sequence[Mark], across: Scale, down: Scale) -> None:
    """Name each model once, at its slowest mark; a dotted line joins its precisions."""
    slowest: dict[str, Mark] = {}
    for mark in sorted(marks, key=lambda mark: mark.milliseconds):
        slowest[mark.model] = mark
    # From the right on: what has most room is placed first and stays out of the crowd.
    names = [(model, _place(mark, across, down)) for model, mark in slowest.items()][::-1]
    for model, (x, y) in names:
        first = min(_place(m, across, down)[0] for m in marks if m.model == model)
        if first < x:
            drawing.add("line", x1=first, y1=y, x2=x, y2=y, class_="guide")
    dots = [_place(mark, across, down) for mark in marks]
    joined = [[_place(mark, across, down) for mark in line] for line in _join(marks)]
    lines = [pair for line in joined for pair in pairwise(line)]
    bounds = (across.start, down.end - 14, _WIDTH - 8, down.start)
    labels = place_labels(names, dots, lines, bounds)
    for label, (_, (x, y)) in zip(labels, names, strict=True):
        if label.far:
            near = label.x - 3 if label.x > x else label.x + label.width + 3
            drawing.add("line", x1=x, y1=y, x2=near, y2=label.y, class_="leader")
        at = label.x + (label.width if label.leftwards else 0)
        kind = "label end" if label.leftwards else "label"
        drawing.add("text", x=at, y=label.y + 4, class_=kind, text=label.text)


def _draw_dots(drawing: Drawing, marks: Sequence[Mark], across: Scale, down: Scale) -> None:
    for mark in marks:
        x, y = _place(mark, across, down)
        hover = (
            f"{mark.model}, {mark.engine} {mark.precision}: {mark.milliseconds:.3g} ms, "
            f"top-1 {mark.top1:.1%}"
        )
        drawing.add("circle", cx=x, cy=y, r=5.0, class_=f"dot {mark.precision}", hover=hover)


def _finish(drawing: Drawing) -> str:
    """Return the file: style and background inside, nothing loaded from elsewhere."""
    size = f'width="{drawing.width:g}" height="{drawing.height:g}"'
    box = f'viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    style = _STYLE + _colour(_LIGHT) + "@media (prefers-color-scheme:dark){"
    style += _NIGHT + _colour(_DARK) + "}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">',
            f"<title>{escape(drawing.label)}</title>",
            f"<style>{style}</style>",
            f'<rect class="page" {size}/>',
            *drawing.parts,
            "</svg>\n",
        ]
    )


def _colour(tones: dict[str, str]) -> str:
    """Return the rules that give marks, lines and precisions their colours."""
    return "".join(
        f".dot.{name}{{fill:{tone}}}.line.{name}{{stroke:{tone}}}" for name, tone in tones.items()
    )
