"""What a trial of engines found: in words, and as the file that remembers it."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.base.files import write_atomic
from residua.bundle.schema import Parity
from residua.engines.engine import Demand


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found of one candidate: its parity, its time, or why it is out."""

    engine: str
    precision: str
    parity: Parity | None
    milliseconds: float | None
    problem: str = ""

    def spell(self) -> str:
        """Return the finding in a line."""
        name = f"{self.engine} {self.precision}"
        if self.problem or self.parity is None or self.milliseconds is None:
            return f"{name}: not used, {self.problem}"
        if self.precision == "int8":
            return f"{name}: {self.milliseconds:.1f} ms a picture, answers as where it was made"
        return (
            f"{name}: {self.milliseconds:.1f} ms a picture, best class agrees on "
            f"{self.parity.agreement:.0%}, probabilities within {self.parity.difference:.2g}"
        )


def spell_cost(engine: str, demand: Demand, parity: Parity | None) -> str:
    """Return what computing in another precision than float32 costs, in a line.

    Of int8 that is its score on the pictures that it was judged on when it was made; of the others
    how the answers to the probes differ here.
    """
    name = f"{engine} computes in {demand.precision}"
    drop = demand.export.drop if demand.export else None
    if drop is not None:
        return (
            f"{name}: {drop.score} {drop.int8:.2%} on {drop.images} pictures of {drop.data}, where "
            f"float32 has {drop.fp32:.2%}."
        )
    if parity is None:
        return f"{name}."
    return (
        f"{name}: beside float32 the best class agrees on {parity.agreement:.0%} of "
        f"{parity.inputs} made pictures, probabilities within {parity.difference:.2g}."
    )


def recall(path: Path, count: int) -> tuple[int, Parity | None] | None:
    """Return which of ``count`` candidates was chosen, with its parity; None if none is kept."""
    try:
        kept: Any = json.loads(path.read_bytes())
        place: int = kept["chosen"]
        parity = kept["trials"][place]["parity"]
        if not 0 <= place < count:
            return None
        return place, Parity.model_validate(parity) if parity else None
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def remember(path: Path, chosen: int, trials: Sequence[Trial]) -> None:
    """Keep what was found; a cache that cannot be written costs time, not the answer."""
    record = {
        "chosen": chosen,
        "trials": [
            {
                "engine": trial.engine,
                "precision": trial.precision,
                "milliseconds": trial.milliseconds,
                "problem": trial.problem,
                "parity": trial.parity.model_dump() if trial.parity else None,
            }
            for trial in trials
        ],
    }
    with contextlib.suppress(OSError):
        write_atomic(path, json.dumps(record, indent=1).encode())
