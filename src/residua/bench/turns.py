"""Taking turns: configurations in processes of their own, measured a little at a time each.

A shared machine is quicker at one moment than at the next. So none is measured in one go: in each
round every process has a short turn, and the order is reversed from round to round (A B C, C B A,
…), which takes a steady drift out of the comparison. Between its turns a process sleeps. One that
is so slow that it has used its time three times over has no more turns, so that it is not waited
for; each batch has been run by then.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from residua.base.errors import EngineError
from residua.bench.plan import Configuration, explain
from residua.bench.process import Child, OrderError
from residua.bench.record import Status
from residua.bundle.schema import Parity
from residua.engines.engine import Hint

T = TypeVar("T")
_OVERDRAFT = 3.0
ROUNDS = 6  # even, so that every process is as often early as late


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is measured: ``seconds`` for a configuration, over all its rounds and batches."""

    seconds: float
    threads: int
    cache: Path
    rounds: int

    def turn(self, batches: int) -> float:
        """Return the seconds of one batch size in one round."""
        return self.seconds / (self.rounds * batches)


@dataclass(slots=True)
class Entrant:
    """A configuration in its process, and what was found so far."""

    configuration: Configuration
    hint: Hint
    child: Child | None = None
    parity: Parity | None = None
    lanes: int = 1
    load_seconds: float = 0.0
    peak_memory: int | None = None
    waiting: float | None = None
    spent: float = 0.0  # seconds of its turns
    figures: dict[int, list[float]] = field(default_factory=dict)
    # Of what is not measured, and why.
    out: Status | None = None
    reason: str = ""

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Send an order to its process; raises as ``Child.ask``."""
        if self.child is None:
            raise EngineError("Its process has ended.")
        return self.child.ask(do, **order)

    def drop(self, status: Literal["wrong", "skipped", "failed"], reason: str) -> None:
        """Take it out of the race; its process ends."""
        self.out, self.reason = status, explain(reason, self.configuration.subject)
        self.close()

    def close(self) -> None:
        """End its process."""
        if self.child is not None:
            self.child.close()
            self.child = None


class PeakMeter:
    """The process that multiplies matrices in turn with the others; FLOP/s by precision."""

    def __init__(self, device: str, pace: Pace) -> None:
        """Its process starts at the first turn."""
        self.device, self.pace = device, pace
        self.rates: dict[str, list[float]] = {}
        self.problems: dict[str, str] = {}
        self._child: Child | None = None

    def take_turn(self, precisions: Sequence[str]) -> None:
        """Measure each of ``precisions`` for a moment; one that does not work is left out."""
        for precision in precisions:
            if precision in self.problems:
                continue
            if self._child is None:
                self._child = Child(self.pace.threads, self.pace.cache)
            try:
                answer = self._child.ask(
                    "peak", precision=precision, device=self.device, threads=self.pace.threads,
                    seconds=min(0.2, self.pace.turn(1)),
                )  # fmt: skip
                self.rates.setdefault(precision, []).append(answer["flops"])
            except (OrderError, EngineError) as error:
                self.problems[precision] = str(error)
                if isinstance(error, EngineError):
                    self.close()

    def find(self, precision: str) -> float | None:
        """Return the best FLOP/s of a precision; None where it could not be measured."""
        return max(self.rates.get(precision, []), default=None)

    def close(self) -> None:
        """End its process."""
        if self._child is not None:
            self._child.close()
            self._child = None


def alternate(items: Sequence[T], rounds: int) -> Iterator[list[T]]:
    """Yield the items once a round, every second time in reverse.

    >>> list(alternate("AB", 4))
    [['A', 'B'], ['B', 'A'], ['A', 'B'], ['B', 'A']]
    """
    for number in range(rounds):
        yield list(items) if number % 2 == 0 else list(items)[::-1]


def race(
    entrants: Sequence[Entrant],
    reference: Path | None,
    pace: Pace,
    meter: PeakMeter,
    precisions: Sequence[str],
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Open all ``entrants``, measure them in turns, and end their processes.

    ``precisions`` are those of the peak. ``advance`` is called after each turn. What goes wrong
    with one takes that one out; the others go on.
    """
    running: list[Entrant | None] = [*entrants, None]  # None: the matrix product's turn
    try:
        for entrant in entrants:
            _open(entrant, reference, pace)
            advance()
        for order in alternate(running, pace.rounds):
            for each in order:
                if each is None:
                    meter.take_turn(precisions)
                elif not each.out:
                    _take_turn(each, pace)
                advance()
        for entrant in entrants:
            if not entrant.out:
                _finish(entrant)
    finally:
        for entrant in entrants:
            entrant.close()


def _open(entrant: Entrant, reference: Path | None, pace: Pace) -> None:
    """Start the process and open the engine in it; examine its answers."""
    wish = entrant.configuration
    entrant.child = Child(pace.threads, pace.cache)
    try:
        answer = entrant.ask(
            "open", bundle=str(wish.subject.bundle.path), engine=wish.engine,
            precision=wish.precision, device=wish.device, threads=pace.threads, hint=entrant.hint,
            sizes=list(wish.batches), reference=str(reference or ""),
        )  # fmt: skip
    except OrderError as error:
        entrant.drop("skipped" if error.refused else "failed", str(error))
        return
    except EngineError as error:
        entrant.drop("failed", str(error))
        return
    entrant.load_seconds, entrant.lanes = answer["load_seconds"], answer["lanes"]
    if "parity" in answer:
        entrant.parity = Parity.model_validate(answer["parity"])
    if answer.get("problem"):
        entrant.drop("wrong", answer["problem"])


def _take_turn(entrant: Entrant, pace: Pace) -> None:
    """Run each size of a batch for a moment, unless the time is used up."""
    batches = entrant.configuration.batches
    seconds = pace.turn(len(batches))
    if entrant.spent > _OVERDRAFT * pace.seconds:
        return
    begun = time.monotonic()
    try:
        for batch in batches:
            found = entrant.figures.setdefault(batch, [])
            if entrant.hint == "latency":
                found += entrant.ask("run", batch=batch, seconds=seconds)["milliseconds"]
            else:
                answer: dict[str, Any] = entrant.ask("flow", batch=batch, seconds=seconds)
                found.append(answer["images_per_second"])
    except (OrderError, EngineError) as error:
        entrant.drop("failed", str(error))
    entrant.spent += time.monotonic() - begun


def _finish(entrant: Entrant) -> None:
    """Ask what the process has cost, and end it."""
    try:
        answer = entrant.ask("end")
        entrant.peak_memory, entrant.waiting = answer["peak_memory"], answer["waiting"]
    except (OrderError, EngineError) as error:
        entrant.drop("failed", str(error))
