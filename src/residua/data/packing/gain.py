"""What packing has gained, measured: size on disk, and the time of a training crop."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.base.clock import spell_bytes
from residua.bundle.schema import Preprocess
from residua.data.cache import PixelCache
from residua.data.packing.pack import make_keys
from residua.data.packing.record import PackRecord
from residua.data.settings import AugmentPart, DataPart
from residua.data.source import Source
from residua.data.sources.shards import read_shards
from residua.data.view import TrainingView

_SAMPLE, _PASSES = 32, 3


@dataclass(frozen=True, slots=True)
class Gain:
    """Milliseconds a training crop takes before and after, in one thread; ``pictures`` tried."""

    pictures: int
    before: float
    after: float


def measure_gain(source: Source, output: Path, record: PackRecord, label: str) -> Gain:
    """Time training crops of 224 pixels, of the first pictures of a part's first shard.

    That is reading (from memory, after a first pass), decoding, cropping and resizing with the
    defaults of training. Both ways take turns; the fastest of three passes each counts.
    """
    shard = record.part(label).shards[0]
    packed = read_shards(str(output / shard.name), DataPart(multi_label=source.multi_label))
    positions = {key: position for position, key in enumerate(make_keys(source))}
    sample = range(min(_SAMPLE, len(packed)))
    former = [positions[_key_of(packed.names[index], shard.name)] for index in sample]
    views = [
        TrainingView(each, Preprocess(), AugmentPart(), seed=0, cache=PixelCache(0))
        for each in (source.take(np.array(former), source.title), packed)
    ]
    out = np.empty(views[0].shape, np.uint8)
    times = np.full(2, np.inf)
    for turn in range(_PASSES + 1):
        for which, view in enumerate(views):
            started = time.perf_counter()
            for index in sample:
                view.fill(turn, index, out)
            if turn:
                times[which] = min(times[which], time.perf_counter() - started)
    before, after = (times / len(sample) * 1000).tolist()
    return Gain(len(sample), before, after)


def render_pack(record: PackRecord, gain: Gain | None) -> str:
    """Return what was packed, what was left out and what is gained, as lines of text."""
    lines = []
    for label, part in record.parts.items():
        pictures = sum(shard.pictures for shard in part.shards)
        copied = sum(shard.copied for shard in part.shards)
        before = sum(shard.bytes_before for shard in part.shards)
        after = sum(shard.bytes for shard in part.shards)
        lines.append(
            f"{label}: {pictures} pictures in {len(part.shards)} "
            f"{'shard' if len(part.shards) == 1 else 'shards'}, {copied} of them as they were; "
            f"{spell_bytes(before)} before, {spell_bytes(after)} now"
        )
        if part.failures:
            lines.append(f"  left out, since they cannot be used: {len(part.failures)}")
            lines += [f"    {failure.error}" for failure in part.failures[:5]]
        if len(part.failures) > 5:
            lines.append(f"    … and {len(part.failures) - 5} more (pack.json has all)")
    if gain:
        lines.append(
            f"A training crop takes {gain.after:.2f} ms in one thread, {gain.before:.2f} ms "
            f"before (measured on {gain.pictures} pictures, read from memory)."
        )
    return "\n".join(lines).encode(errors="replace").decode()  # names that are no UTF-8


def _key_of(name: str, shard: str) -> str:
    return name.removeprefix(f"{shard}/").rpartition(".")[0]
