"""What a load test found: at each rate how many were answered, refused, lost, and how quickly."""

import statistics
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Step(BaseModel):
    """One rate: ``offered`` requests a second for ``seconds``.

    ``answered`` a second are those with status 200; ``statuses`` counts every status, and "error"
    what had none (refused connections, no answer in time). Milliseconds are of the answered ones,
    from the moment when the request was due.
    """

    model_config = ConfigDict(frozen=True)

    offered: float
    seconds: float
    sent: int
    answered: float
    statuses: dict[str, int]
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    greatest: float | None = None
    late_starts: float = 0.0  # milliseconds that the sender itself was behind, 99th percentile


class LoadTest(BaseModel):
    """A whole test: the address, the pictures, the machine, a step a rate."""

    model_config = ConfigDict(frozen=True)

    url: str
    pictures: int
    mean_bytes: int
    capacity: float | None  # answered a second with as many requests at a time as pay
    machine: dict[str, str]
    steps: tuple[Step, ...]


def summarise(
    offered: float,
    seconds: float,
    outcomes: Sequence[tuple[str, float, float]],
) -> Step:
    """Return the step of ``outcomes``: (status, milliseconds from due, milliseconds behind)."""
    good = sorted(took for status, took, _ in outcomes if status == "200")
    behind = sorted(late for _, _, late in outcomes)
    return Step(
        offered=round(offered, 2),
        seconds=round(seconds, 2),
        sent=len(outcomes),
        answered=round(len(good) / seconds, 2) if seconds else 0.0,
        statuses=dict(Counter(status for status, _, _ in outcomes)),
        late_starts=round(_percentile(behind, 99) or 0.0, 1),
        p50=_rounded(_percentile(good, 50)),
        p95=_rounded(_percentile(good, 95)),
        p99=_rounded(_percentile(good, 99)),
        greatest=_rounded(good[-1] if good else None),
    )


def _percentile(ordered: Sequence[float], share: int) -> float | None:
    if len(ordered) < 2:
        return ordered[0] if ordered else None
    return statistics.quantiles(ordered, n=100, method="inclusive")[share - 1]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def spell_table(test: LoadTest) -> str:
    """Return the table that people read."""
    head = f"{'offered/s':>10} {'answered/s':>11} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}  other"
    lines = [head]
    for step in test.steps:
        times = [
            f"{value:8.1f}" if value is not None else " " * 8
            for value in (step.p50, step.p95, step.p99)
        ]
        other = ", ".join(
            f"{count} x {status}" for status, count in sorted(step.statuses.items())
            if status != "200"
        )  # fmt: skip
        lines.append(
            f"{step.offered:10.1f} {step.answered:11.1f} {' '.join(times)}  {other}".rstrip()
        )
    return "\n".join(lines)
