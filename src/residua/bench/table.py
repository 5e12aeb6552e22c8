"""A benchmark as a table for the terminal."""

from typing import TYPE_CHECKING

from residua.base.clock import spell_bytes, spell_seconds
from residua.bench.record import Benchmark, Latency, Measurement, Throughput

if TYPE_CHECKING:
    from rich.table import Table

_PIPE_WIDTH = 400  # of a line where no terminal sets it: no row is broken


def print_table(benchmark: Benchmark) -> None:
    """Print table, peaks and reasons to standard output; plain text where it is no terminal."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_WIDTH)
    shown = [each for each in benchmark.measurements if each.status != "skipped"]
    if shown:
        console.print(_lay_out(shown), soft_wrap=not console.is_terminal)
    for line in describe(benchmark):
        console.print(line, highlight=False, markup=False)


def _lay_out(shown: list[Measurement]) -> "Table":
    """Return a row a configuration."""
    from rich.table import Table

    batches = sorted({each.batch for one in shown for each in one.latency})
    flowing = any(one.throughput for one in shown)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("model", "engine", "precision"):
        table.add_column(heading, no_wrap=True)
    table.add_column("px", justify="right", no_wrap=True)
    for batch in batches:
        table.add_column(f"ms, batch {batch}", justify="right", no_wrap=True)
    for heading in (*(["images/s"] if flowing else []), "of peak", "memory", "load", "agrees"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in shown:
        start = (one.model, one.engine, one.precision, str(one.image_size))
        if one.status != "measured":
            table.add_row(*start, one.status.upper(), style="red")
            continue
        by_batch = {each.batch: each for each in one.latency}
        times = [_spell_latency(by_batch.get(batch)) for batch in batches]
        table.add_row(*start, *times, *([_spell_best(one)] if flowing else []), *_spell_rest(one))
    return table


def _spell_latency(latency: Latency | None) -> str:
    """Return median and spread: "19.8 (19.1 to 22.0)"."""
    if latency is None:
        return "-"
    return f"{_round(latency.median)} ({_round(latency.low)} to {_round(latency.high)})"


def _round(value: float) -> str:
    """Return three digits that count, without an exponent."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _spell_best(one: Measurement) -> str:
    """Return the greatest throughput and the batch that gave it."""
    if not one.throughput:
        return "-"
    best = max(one.throughput, key=lambda each: each.images_per_second)
    return f"{_round(best.images_per_second)} (batch {best.batch}, {best.lanes} at once)"


def _spell_rest(one: Measurement) -> tuple[str, ...]:
    every: list[Latency | Throughput] = [*one.latency, *one.throughput]
    shares = [each.share for each in every if each.share is not None]
    share = f"{max(shares):.0%}" if shares else "-"
    costs = one.latency_costs
    memory = spell_bytes(costs.peak_memory) if costs and costs.peak_memory else "-"
    load = spell_seconds(costs.load_seconds) if costs else "-"
    return share, memory, load, f"{one.parity.agreement:.0%}" if one.parity else "not compared"


def describe(benchmark: Benchmark) -> list[str]:
    """Return the lines below the table: what was measured how, and what was not."""
    machine = benchmark.machine
    cores = f"{benchmark.threads} of {machine['cores']} cores"
    how = "ms a run: median (10th to 90th percentile); of peak: at the best batch"
    place = f"{machine['gpu']}, " if "gpu" in machine else ""
    lines = ["", f"{place}{machine['processor']}, {cores}; {how}.", *benchmark.notes]
    lines += [
        f"Peak in {peak.precision}: {peak.flops / 1e9:.0f} GFLOP/s, the quickest matrix product "
        f"of the run (median {peak.median / 1e9:.0f})."
        for peak in benchmark.peaks
    ]
    lines += [
        f"{_name(one)}: {one.status}. {one.reason}"
        for one in benchmark.measurements
        if one.status in {"wrong", "failed"}
    ]
    skipped = dict.fromkeys(
        f"{one.engine} {one.precision}: not measured. {one.reason}"
        for one in benchmark.measurements
        if one.status == "skipped"
    )
    lines += list(skipped)
    notes: dict[str, list[str]] = {}
    for one in benchmark.measurements:
        for note in one.notes:
            notes.setdefault(note, []).append(one.model)
    lines += [f"{', '.join(dict.fromkeys(names))}: {note}" for note, names in notes.items()]
    return lines


def _name(one: Measurement) -> str:
    return f"{one.model}, {one.engine} {one.precision}"
