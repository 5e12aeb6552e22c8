"""What a report is about: a bundle, and the folder of the run that made it where that is at hand.

flowers.run/metrics.jsonl   the run line by line (train/storage/record.py)
flowers.run/recipe.yaml     its recipe
flowers.run/run.json        whether it has ended, and the name of its bundle
flowers.bundle/             what came of it, beside it
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, SettingError
from residua.bundle.store import Bundle, is_bundle
from residua.train.storage.run_folder import RunFolder
from residua.zoo.weights.resolve import open_bundle

_METRICS = "metrics.jsonl"
_STEPS_SHOWN = 300  # points of a curve; more are thinned out evenly


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures after an epoch; None where the run did not validate or says nothing of it."""

    epoch: int
    train_loss: float | None
    val_loss: float | None
    top1: float | None
    map: float | None
    images_per_second: float | None


@dataclass(frozen=True, slots=True)
class History:
    """A run: its ``epochs`` in order and the learning rate at its logging steps (epoch, rate)."""

    folder: Path
    epochs: tuple[Epoch, ...]
    rates: tuple[tuple[float, float], ...]
    start: dict[str, Any]
    end: dict[str, Any]
    recipe: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What to report on; ``notes`` say why a history is missing."""

    bundle: Bundle
    history: History | None
    notes: tuple[str, ...] = ()


def find_subject(given: str) -> Subject:
    """Open a run's folder, a bundle, or what else ``residua evaluate`` takes for one.

    Raises SettingError for a run that has no bundle yet, and what ``open_bundle`` raises.
    """
    folder = Path(given).expanduser().resolve()  # "." has no name to put a suffix to
    if (folder / _METRICS).is_file():
        return Subject(open_bundle(_bundle_of(folder)), read_history(folder))
    bundle = open_bundle(given)
    beside = bundle.path.resolve().with_suffix(".run")
    if not (beside / _METRICS).is_file():
        return Subject(bundle, None, (f"No run folder {beside.name} lies beside the bundle.",))
    if RunFolder(beside).is_unfinished():
        return Subject(bundle, None, (f"{beside.name} is a run that has not ended.",))
    return Subject(bundle, read_history(beside))


def read_history(folder: Path) -> History:
    """Read the lines of a run; of an epoch that was run twice, after a crash, the later counts.

    A last line that is cut off is left out. Raises DataError for a line that is no JSON object.
    """
    epochs: dict[int, Epoch] = {}
    rates: dict[float, float] = {}
    ends: dict[str, dict[str, Any]] = {"start": {}, "end": {}}
    for line in _read_lines(folder / _METRICS):
        match line.get("event"):
            case "start" | "end" as event:
                ends[event] = line
            case "step" if line.get("lr") is not None:
                rates[float(line["epoch"])] = float(line["lr"])
            case "epoch":
                epochs[int(line["epoch"])] = _read_epoch(line)
    recipe = folder / "recipe.yaml"
    every = -(-len(rates) // _STEPS_SHOWN) or 1
    return History(
        folder,
        tuple(epochs[number] for number in sorted(epochs)),
        tuple(sorted(rates.items())[::every]),
        ends["start"],
        ends["end"],
        recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
    )


def _read_epoch(line: dict[str, Any]) -> Epoch:
    return Epoch(
        epoch=int(line["epoch"]),
        train_loss=line.get("train_loss"),
        val_loss=line.get("val_loss"),
        top1=line.get("val_top1"),
        map=line.get("val_map"),
        images_per_second=line.get("images_per_second"),
    )


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line.endswith("\n"):
            return  # being written at this moment, or cut off by a crash
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise DataError(
                f"Line {number} of {path} is no JSON object.",
                next_step="Give the bundle instead and move this folder away from beside it.",
            )
        yield content


def _bundle_of(folder: Path) -> Path:
    """Return the bundle that the run in ``folder`` has written."""
    beside = folder.with_suffix(".bundle")
    if not RunFolder(folder).is_unfinished():
        recorded = _recorded_bundle(folder)
        for place in (beside, recorded):
            if place is not None and is_bundle(place):
                return place
    raise SettingError(
        f"The run {folder} has not written a bundle: {beside} is not there, or is older.",
        next_step="Let the run end (the command that began it goes on with it), or give a bundle.",
    )


def _recorded_bundle(folder: Path) -> Path | None:
    """Return the place that the run noted for its bundle, relative to where it was run."""
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Path(content["bundle"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
