"""Drawing in SVG: elements with everything escaped, scales and round ticks.

Colours come from the page's style by class, so that a drawing follows its light and dark theme.
"""

import math
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True, slots=True)
class Scale:
    """Values ``low`` to ``high`` on positions ``start`` to ``end``, linearly."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the position of ``value``."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(slots=True)
class Drawing:
    """A drawing of ``width`` x ``height`` units; ``label`` describes it to who cannot see it."""

    width: float
    height: float
    label: str
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, *, text: str = "", hover: str = "", **attributes: object) -> None:
        """Add an element. ``class_`` is its class; ``hover`` is shown when it is pointed at."""
        spelt = "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(_spell(value))}"'
            for name, value in attributes.items()
        )
        title = f"<title>{escape(hover)}</title>" if hover else ""
        content = title + escape(text)
        self.parts.append(f"<{tag}{spelt}>{content}</{tag}>" if content else f"<{tag}{spelt}/>")

    def render(self) -> str:
        """Return the drawing as an element of a page."""
        size = f"0 0 {_spell(self.width)} {_spell(self.height)}"
        head = f'<svg viewBox="{size}" role="img" aria-label="{escape(self.label)}">'
        return "".join([head, *self.parts, "</svg>"])


def round_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` multiples of 1, 2 or 5 times a power of ten that span the range.

    The first is at most ``low`` and the last at least ``high``.
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def whole_ticks(low: int, high: int, count: int = 6) -> list[int]:
    """Return at most about ``count`` whole numbers of ``low`` … ``high``, evenly spaced."""
    step = max(1, round(round_ticks(0, high - low, count)[1])) if high > low else 1
    return [value for value in range(low, high + 1) if value % step == 0] or [high]


def spread_labels(wanted: list[float], gap: float) -> list[float]:
    """Move positions apart until neighbours are ``gap`` apart, each as little as may be.

    Keeps their order and their mean within each group that had to be moved.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while len(groups) > 1 and _start(groups[-1], wanted, gap) < (
            _start(groups[-2], wanted, gap) + gap * len(groups[-2])
        ):
            last = groups.pop()
            groups[-1] += last
    placed = list(wanted)
    for group in groups:
        start = _start(group, wanted, gap)
        for number, index in enumerate(group):
            placed[index] = start + gap * number
    return placed


def _start(group: list[int], wanted: list[float], gap: float) -> float:
    return sum(wanted[index] for index in group) / len(group) - gap * (len(group) - 1) / 2


def _spell(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
