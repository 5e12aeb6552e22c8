"""The picture of a load test: what was answered, and how quickly, against what was offered."""

from residua.bench.load.record import LoadTest, Step
from residua.report.svg import Drawing, Scale, round_ticks

_WIDTH, _HEIGHT = 900.0, 640.0
_LEFT, _RIGHT = 76.0, 24.0
_UPPER, _LOWER = (96.0, 300.0), (366.0, 580.0)
_COLOURS = {"200": "#1f6f8b", "429": "#d9a441", "504": "#c8553d", "other": "#6d597a"}
_STYLE = """
svg{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
.page{fill:#fff}.title{font-size:19px;font-weight:650;fill:#1c2126}.soft,.tick{fill:#5d6670}
.grid{stroke:#ecebe7}.base{stroke:#8b939c}.end{text-anchor:end}.middle{text-anchor:middle}
.line{fill:none;stroke-width:2}.p50{stroke:#5fb3cf}.p95{stroke:#1f6f8b}.p99{stroke:#c8553d}
.fill50{fill:#5fb3cf}.fill95{fill:#1f6f8b}.fill99{fill:#c8553d}
@media(prefers-color-scheme:dark){.page{fill:#14171a}.title{fill:#e8e6e1}
.soft,.tick{fill:#a5adb5}.grid{stroke:#282d32}.base{stroke:#7b848d}}
"""


def draw_load(test: LoadTest) -> str:
    """Return a whole SVG file: bars of what came of the requests, and lines of the times."""
    drawing = Drawing(_WIDTH, _HEIGHT, "Answers and times against the load")
    drawing.add("rect", x=0.0, y=0.0, width=_WIDTH, height=_HEIGHT, class_="page")
    drawing.add("text", x=22.0, y=32.0, class_="title", text="Under load")
    where = f"{test.url}; {test.pictures} pictures; {test.machine['processor']}"
    drawing.add("text", x=22.0, y=53.0, class_="soft", text=where)
    _draw_answers(drawing, test.steps)
    _draw_times(drawing, test.steps)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}"'
    body = drawing.render().partition(">")[2]
    return f'{head} role="img" aria-label="{drawing.label}"><style>{_STYLE}</style>{body}'


def _columns(steps: tuple[Step, ...]) -> list[tuple[float, float]]:
    """Return centre and width of the column of each step."""
    width = (_WIDTH - _LEFT - _RIGHT) / max(1, len(steps))
    return [(_LEFT + width * (place + 0.5), width) for place in range(len(steps))]


def _draw_scale(drawing: Drawing, most: float, top: float, bottom: float, what: str) -> Scale:
    ticks = round_ticks(0, most or 1.0)
    scale = Scale(0, ticks[-1], bottom, top)
    for tick in ticks:
        y = scale.at(tick)
        kind = "base" if tick == 0 else "grid"
        drawing.add("line", x1=_LEFT, y1=y, x2=_WIDTH - _RIGHT, y2=y, class_=kind)
        drawing.add("text", x=_LEFT - 8, y=y + 4, class_="tick end", text=f"{tick:g}")
    drawing.add("text", x=22.0, y=top - 14, class_="soft", text=what)
    return scale


def _draw_answers(drawing: Drawing, steps: tuple[Step, ...]) -> None:
    most = max((step.sent / step.seconds for step in steps), default=1.0)
    scale = _draw_scale(drawing, most, *_UPPER, "requests a second, by status")
    for step, (x, width) in zip(steps, _columns(steps), strict=True):
        low = 0.0
        for status, count in sorted(step.statuses.items()):
            high = low + count / step.seconds
            colour = _COLOURS.get(status, _COLOURS["other"])
            drawing.add(
                "rect", x=x - 0.3 * width, y=scale.at(high), width=0.6 * width,
                height=scale.at(low) - scale.at(high), fill=colour,
                hover=f"{status}: {count} of {step.sent}",
            )  # fmt: skip
            low = high
        drawing.add("text", x=x, y=_UPPER[1] + 18, class_="tick middle", text=f"{step.offered:.3g}")
    x = _WIDTH - _RIGHT
    for status, colour in reversed(_COLOURS.items()):
        drawing.add("text", x=x, y=_UPPER[0] - 14, class_="soft end", text=status)
        x -= 8.0 * len(status) + 16
        drawing.add("circle", cx=x + 6, cy=_UPPER[0] - 18.5, r=5.0, fill=colour)
        x -= 10


def _draw_times(drawing: Drawing, steps: tuple[Step, ...]) -> None:
    most = max((step.p99 or 0.0 for step in steps), default=1.0)
    what = "milliseconds of the answered ones, from the moment when each was due"
    scale = _draw_scale(drawing, most, *_LOWER, what)
    columns = _columns(steps)
    for name in ("p50", "p95", "p99"):
        points = [
            (x, scale.at(value))
            for step, (x, _) in zip(steps, columns, strict=True)
            if (value := getattr(step, name)) is not None
        ]
        drawing.add(
            "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
            class_=f"line {name}",
        )  # fmt: skip
        for x, y in points:
            drawing.add("circle", cx=x, cy=y, r=4.0, class_=f"fill{name[1:]}")
    x = _WIDTH - _RIGHT
    for name in ("p99", "p95", "p50"):
        drawing.add("text", x=x, y=_LOWER[0] - 14, class_="soft end", text=name)
        drawing.add("circle", cx=x - 34, cy=_LOWER[0] - 18.5, r=5.0, class_=f"fill{name[1:]}")
        x -= 62
    for step, (centre, _) in zip(steps, columns, strict=True):
        drawing.add(
            "text", x=centre, y=_LOWER[1] + 18, class_="tick middle", text=f"{step.offered:.3g}"
        )
    drawing.add(
        "text", x=_WIDTH / 2, y=_HEIGHT - 12, class_="soft middle", text="offered requests a second"
    )
