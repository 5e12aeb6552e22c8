"""A whole benchmark: the models one after the other, their configurations in turns."""

import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from residua.base.errors import SettingError
from residua.base.machine import describe_machine, usable_cores
from residua.base.progress import Progress
from residua.base.version import __version__
from residua.bench import turns
from residua.bench.plan import Configuration, check_wish, choose_engines, find_peak_precision, plan
from residua.bench.record import (
    Benchmark,
    Costs,
    Measurement,
    Peak,
    make_latency,
    make_throughput,
)
from residua.bench.subject import Subject, open_subject
from residua.bench.turns import Entrant, Pace, PeakMeter, race
from residua.bundle.store import Bundle
from residua.engines.engine import RUNTIMES, Hint
from residua.engines.reference import make_reference

Notify = Callable[[str], None]
_RESTLESS = 0.1  # of a core
_TOGETHER = 8  # processes that are alive at once: each holds a network


def run_benchmark(
    models: Sequence[str],
    *,
    engines: Sequence[str] = (),
    precisions: Sequence[str] = ("fp32",),
    batches: Sequence[int] = (1, 4, 8),
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 4.0,
    random: bool = False,
    throughput: bool = True,
    command: str = "",
    notify: Notify = lambda _: None,
) -> Benchmark:
    """Measure ``models`` (zoo names, bundles or weight files) on this machine.

    ``engines`` empty means all that are installed; ``seconds`` is the time for each configuration
    and mode. ``notify`` hears what is going on. Raises UnknownNameError and SettingError before
    any work, and what opening a model raises.
    """
    check_wish(engines, precisions, batches, device)
    if not models:
        raise SettingError(
            "No model was given.", next_step="Name some, as ResNet50_vd: residua models"
        )
    if not seconds > 0:
        raise SettingError(f"--seconds {seconds:g} leaves no time to measure.")
    machine = describe_machine() | _describe_gpu(device)
    batches, precisions = sorted(set(batches)), tuple(dict.fromkeys(precisions))
    threads = threads or usable_cores()
    hints: tuple[Hint, ...] = ("latency", "throughput") if throughput else ("latency",)
    planned: list[Configuration | Measurement] = []
    entrants: list[Entrant] = []
    with tempfile.TemporaryDirectory(prefix="residua-bench-") as folder:
        scratch = Path(folder)
        pace = Pace(seconds, threads, scratch / "cache", turns.ROUNDS)
        meter = PeakMeter(device, pace)
        try:
            for subject in _open_all(models, scratch, random=random):
                wanted = tuple(dict.fromkeys(engines)) or choose_engines(subject.bundle, device)
                pairs = list(plan(subject, wanted, precisions, batches, device))
                planned += pairs
                able = [pair for pair in pairs if isinstance(pair, Configuration)]
                entrants += _race_all(subject, able, hints, pace, meter, notify)
        finally:
            meter.close()
    return Benchmark(
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        residua=__version__,
        machine=machine,
        versions=_list_versions({each.engine for each in planned}),
        threads=threads,
        seconds=seconds,
        peaks=tuple(_list_peaks(meter)),
        notes=tuple(f"No peak in {name}: {why}" for name, why in meter.problems.items()),
        measurements=tuple(_conclude(each, entrants, meter) for each in planned),
    )


def _open_all(models: Sequence[str], scratch: Path, *, random: bool) -> list[Subject]:
    """Return the models; one that cannot be opened is told before any is measured.

    Two of the same name lie in two folders: the second is called by its path.
    """
    subjects: dict[str, Subject] = {}
    for given in dict.fromkeys(models):
        subject = open_subject(given, scratch, random=random)
        name = given if subject.name in subjects else subject.name
        subjects[name] = replace(subject, name=name)
    return list(subjects.values())


def _race_all(
    subject: Subject,
    able: Sequence[Configuration],
    hints: Sequence[Hint],
    pace: Pace,
    meter: PeakMeter,
    notify: Notify,
) -> list[Entrant]:
    """Measure the configurations of one model, a few at a time; first latency, then throughput."""
    notes = f" ({' '.join(subject.notes)})" if subject.notes else ""
    notify(f"{subject.name}: {len(able)} configurations{notes}")
    if not able:
        return []
    reference = _keep_reference(subject.bundle, pace.cache.parent)
    done: list[Entrant] = []
    for hint in hints:
        out = {id(each.configuration) for each in done if each.out}
        able = [each for each in able if id(each) not in out]
        for start in range(0, len(able), _TOGETHER):
            heat = [Entrant(each, hint) for each in able[start : start + _TOGETHER]]
            precisions = dict.fromkeys(
                find_peak_precision(each.precision, each.device) for each in able
            )
            count = len(heat) + (len(heat) + 1) * pace.rounds
            progress = Progress(f"{subject.name}, {hint}", count, unit="turns")
            try:
                race(heat, reference, pace, meter, tuple(precisions), progress.advance)
            finally:
                progress.close()
            done += heat
    return done


def _keep_reference(bundle: Bundle, folder: Path) -> Path | None:
    """Write the reference network's answers to the probes where the children read them."""
    answers = make_reference(bundle)
    if answers is None:
        return None
    path = folder / "reference.npy"
    np.save(path, answers)
    return path


def _conclude(
    planned: Configuration | Measurement, entrants: Sequence[Entrant], meter: PeakMeter
) -> Measurement:
    """Join what was found of a configuration in its modes into one record."""
    if isinstance(planned, Measurement):
        return planned
    mine = {each.hint: each for each in entrants if each.configuration is planned}
    quick, flowing = mine["latency"], mine.get("throughput")
    notes = [*planned.subject.notes, *planned.notes]
    if quick.parity is None and not quick.out:
        notes.append("Not compared: torch is missing.")
    if flowing and flowing.out and not quick.out:
        notes.append(f"Throughput: {flowing.out}, {flowing.reason}")
    if max((each.waiting or 0) for each in mine.values()) > _RESTLESS:
        notes.append("Its threads spin while they wait: it slows down what it is compared with.")
    record = planned.record(quick.out or "measured", quick.reason)
    flops = meter.find(find_peak_precision(planned.precision, planned.device))
    macs = planned.subject.macs
    if quick.out:
        return record.model_copy(update={"notes": tuple(notes), "parity": quick.parity})
    throughput = {} if flowing is None or flowing.out else flowing.figures
    return record.model_copy(
        update={
            "notes": tuple(notes),
            "parity": quick.parity,
            "latency": tuple(
                make_latency(batch, times, macs, flops) for batch, times in quick.figures.items()
            ),
            "throughput": tuple(
                make_throughput(batch, flowing.lanes if flowing else 1, rates, macs, flops)
                for batch, rates in throughput.items()
            ),
            "latency_costs": _cost(quick),
            "throughput_costs": _cost(flowing),
        }
    )


def _cost(entrant: Entrant | None) -> Costs | None:
    if entrant is None or entrant.out:
        return None
    return Costs(
        load_seconds=round(entrant.load_seconds, 4),
        peak_memory=entrant.peak_memory,
        waiting=None if entrant.waiting is None else round(entrant.waiting, 4),
    )


def _list_peaks(meter: PeakMeter) -> Iterator[Peak]:
    for precision, rates in meter.rates.items():
        median = round(statistics.median(rates))
        yield Peak(precision=precision, flops=round(max(rates)), median=median, turns=len(rates))


def _describe_gpu(device: str) -> dict[str, str]:
    """Return the name of the GPU that is measured; raises SettingError where there is none."""
    if device == "cpu":
        return {}
    import torch

    if not torch.cuda.is_available():
        raise SettingError("torch finds no CUDA GPU here.", next_step="Use --device cpu.")
    return {"gpu": torch.cuda.get_device_name()}


def _list_versions(engines: Iterable[str]) -> dict[str, str]:
    """Return the versions of what was measured, of the libraries that are installed."""
    found = {}
    for library in dict.fromkeys(
        ["numpy", "torch", *(RUNTIMES[name].library for name in sorted(engines))]
    ):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
