"""What all benchmarks share: paired runs, their spread, and the JSON in results/."""

import json
import statistics
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from residua.base.machine import describe_machine

RESULTS = Path(__file__).resolve().parent.parent / "results"


def summarise(values: list[float]) -> dict[str, Any]:
    """Return median, least and greatest of ``values``, and the values."""
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "runs": [round(value, 4) for value in values],
    }


def measure_pairs(
    first: Callable[[], float], second: Callable[[], float], *, pairs: int
) -> dict[str, Any]:
    """Run two measurements in turn (A B, B A, …); return both and the ratios A/B, by pair."""
    first(), second()  # warm up
    a: list[float] = []
    b: list[float] = []
    for index in range(pairs):
        for kind in "ab" if index % 2 == 0 else "ba":
            a.append(first()) if kind == "a" else b.append(second())
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    return {"a": summarise(a), "b": summarise(b), "ratio_a_to_b": summarise(ratios)}


def write_result(name: str, claim: str, command: str, figures: dict[str, Any]) -> None:
    """Write results/NAME.json with where, when and on what it was measured, and print it."""
    root = RESULTS.parent
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = {}
    for library in ("torch", "openvino", "numpy", "pillow", "opencv-python-headless"):
        from importlib.metadata import version

        versions[library] = version(library)
    record = {
        "claim": claim,
        "command": command,
        "commit": commit,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "versions": versions,
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: record[key] for key in ("claim", *figures)}, indent=1))
