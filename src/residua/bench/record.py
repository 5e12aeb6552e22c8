"""What a benchmark writes down, as ``--json`` and ``--output`` give it."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from residua.bundle.schema import Parity, Positive, Record

SCHEMA_VERSION = 1
Rate = Annotated[float, Field(gt=0)]
Count = Annotated[float, Field(ge=0)]
Status = Literal["measured", "wrong", "skipped", "failed"]


class Latency(Record):
    """Milliseconds of one run of a batch: median, 10th and 90th percentile of ``runs`` runs.

    ``images_per_second`` is that of the median run; ``share`` the part of the machine's peak (see
    ``Peak``) that its multiply-adds are, None where no peak could be measured.
    """

    batch: Positive
    median: Rate
    low: Rate
    high: Rate
    runs: Positive
    images_per_second: Rate
    share: float | None = None


class Throughput(Record):
    """Images a second with ``lanes`` runs of ``batch`` under way: the median of ``turns`` turns."""

    batch: Positive
    lanes: Positive
    images_per_second: Count
    low: Count
    high: Count
    turns: Positive
    share: float | None = None


class Peak(Record):
    """FLOP/s of a large matrix product in ``precision``: the quickest of the whole run.

    ``median`` is that of the ``turns`` turns; where it lies far below, others used the machine.
    """

    precision: str
    flops: Rate
    median: Rate
    turns: Positive


class Costs(Record):
    """What a process with one configuration costs.

    ``load_seconds`` goes from the import of the runtime to the first answer, without any cache of
    compiled models; ``peak_memory`` is the most of memory that the process held, in bytes;
    ``waiting`` the share of a core that its threads used while others were measured.
    """

    load_seconds: float
    peak_memory: Positive | None = None
    waiting: float | None = None


class Measurement(Record):
    """One model on one engine in one precision.

    ``macs`` are multiply-adds of one image of ``image_size`` pixels. ``status`` "wrong": its
    answers are not the reference network's, and its speed was not measured; ``reason`` says why for
    all that is not measured. ``latency`` is of an engine opened for quick runs, ``throughput`` of
    one opened for many runs under way, each in a process of its own.
    """

    model: str
    architecture: str
    image_size: Positive
    macs: Positive
    top1: float | None = None
    top1_of: str = ""
    engine: str
    precision: str
    device: str
    status: Status
    reason: str = ""
    notes: tuple[str, ...] = ()
    parity: Parity | None = None
    latency: tuple[Latency, ...] = ()
    throughput: tuple[Throughput, ...] = ()
    latency_costs: Costs | None = None
    throughput_costs: Costs | None = None


class Benchmark(Record):
    """A whole run: where, when, with what, and what came out. ``date`` is ISO 8601 in UTC.

    ``machine`` has "gpu" where one was measured.
    """

    schema_version: int = SCHEMA_VERSION
    command: str
    date: str
    residua: str
    machine: dict[str, str]
    versions: dict[str, str]
    threads: Positive
    seconds: Rate
    peaks: tuple[Peak, ...] = ()
    notes: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return 10th percentile, median and 90th percentile (linear between neighbours).

    >>> spread([1.0, 2.0, 3.0, 4.0, 5.0])
    (1.4, 3.0, 4.6)
    """
    low, median, high = np.percentile(values, [10, 50, 90])
    return round(float(low), 4), round(float(median), 4), round(float(high), 4)


def share_of_peak(macs: int, images_per_second: float, flops: float | None) -> float | None:
    """Return which part of ``flops`` a network of ``macs`` multiply-adds an image uses.

    A multiply-add is two operations: 4e9 of them at 10 images/s are 80 GFLOP/s.

    >>> share_of_peak(4_000_000_000, 10.0, 160e9)
    0.5
    """
    return None if flops is None else round(2 * macs * images_per_second / flops, 4)


def make_latency(batch: int, times: Sequence[float], macs: int, flops: float | None) -> Latency:
    """Return the record of runs that took ``times`` milliseconds each."""
    low, median, high = spread(times)
    rate = batch * 1000 / median
    return Latency(
        batch=batch, median=median, low=low, high=high, runs=len(times),
        images_per_second=round(rate, 3), share=share_of_peak(macs, rate, flops),
    )  # fmt: skip


def make_throughput(
    batch: int, lanes: int, rates: Sequence[float], macs: int, flops: float | None
) -> Throughput:
    """Return the record of turns that gave ``rates`` images a second each."""
    low, median, high = spread(rates)
    return Throughput(
        batch=batch, lanes=lanes, images_per_second=median, low=low, high=high, turns=len(rates),
        share=share_of_peak(macs, median, flops),
    )  # fmt: skip
