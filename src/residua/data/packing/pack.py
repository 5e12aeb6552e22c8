"""Packing: pictures made small and put into tar shards, once, for fast training ever after.

    OUTPUT/
    ├── train-000000.tar …     WebDataset layout: KEY.jpg (.png, .webp) and KEY.cls, a number
    ├── val-000000.tar …       (of multi-label data KEY.json: {"label": [numbers]})
    ├── classes.json           the names of the classes, in order
    └── pack.json              settings, hashes, pictures that were left out

Pictures come in a random order that is always the same, since readers of shards stream them. A key
is the picture's name without its suffix. The same data and settings give the same bytes, whatever
the number of threads and however often the work was interrupted.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, ImageError
from residua.base.files import locked, write_atomic
from residua.base.machine import usable_cores
from residua.base.progress import Progress
from residua.data.loader import Failure, describe_failure
from residua.data.order import epoch_order
from residua.data.packing.record import (
    PackFailure,
    PackRecord,
    PackSettings,
    PartRecord,
    Shard,
    begin_record,
    keep_intact,
)
from residua.data.packing.shard_writer import ShardWriter, pack_files, scratch_path
from residua.data.packing.shrink import shrink
from residua.data.source import Source
from residua.data.sources.folder import SUFFIXES

_AHEAD = 4  # pictures that wait for each thread


def pack(
    parts: Mapping[str, Source],
    output: Path,
    settings: PackSettings,
    *,
    threads: int | None = None,
    show_progress: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> PackRecord:
    """Pack ``parts`` ("train", perhaps "val") into ``output``, or go on where that was cut short.

    All parts have the classes of the first. ``threads`` None: one a core; memory is bounded by a
    few pictures for each. ``say`` is told what is found on going on. A picture that cannot be used
    is left out and listed with its reason.

    Raises SettingError where ``output`` holds something else or was begun with other settings.
    """
    record = begin_record(output, dict(parts), settings)
    output.mkdir(parents=True, exist_ok=True)
    with locked(output / ".lock"):
        # Another process may have gone on meanwhile.
        record = begin_record(output, dict(parts), settings)
        names = next(iter(parts.values())).classes.names
        write_atomic(output / "classes.json", f"{json.dumps(names, indent=1)}\n".encode())
        record.write(output)
        for label, source in parts.items():
            kept, problem = keep_intact(output, record.part(label))
            if problem:
                say(f"{problem}: it and the shards after it are made anew.")
            if kept.stop:
                say(f"{label}: {kept.stop} of {len(source)} pictures are packed already.")
            record = record.with_part(label, kept).model_copy(update={"finished": False})
            progress = (
                Progress(f"packing {label}", len(source) - kept.stop) if show_progress else None
            )
            record = _pack_part(record, label, source, output, threads or usable_cores(), progress)
            if progress:
                progress.close()
            if not record.part(label).shards:
                first = record.part(label).failures[0].error
                raise DataError(
                    f"None of the {len(source)} pictures of {source.title} can be packed. The "
                    f"first: {first}"
                )
        record = record.model_copy(update={"finished": True})
        record.write(output)
    return record


def pack_order(source: Source) -> NDArray[np.int64]:
    """Return the positions of a source in the order in which they are packed."""
    return epoch_order(len(source), seed=0, epoch=0)


def make_keys(source: Source) -> list[str]:
    """Return the key of each picture: its name without suffix, leading folders and dots.

    Readers divide a file's name at its first dot. Where two pictures would have one key, the later
    one is numbered.
    """
    keys: list[str] = []
    taken: set[str] = set()
    for name in source.names:
        stem, dot, suffix = name.rpartition(".")
        bare = stem if dot and f".{suffix.lower()}" in SUFFIXES else name
        *folders, last = [part for part in bare.split("/") if part not in {"", ".", ".."}] or ["_"]
        key = base = "/".join([*folders, last.replace(".", "_")])
        number = 2
        while key in taken:
            key, number = f"{base}_{number}", number + 1
        taken.add(key)
        keys.append(key)
    return keys


@dataclass(frozen=True, slots=True)
class _Packed:
    """The files of a picture as a piece of an archive."""

    data: bytes
    copied: bool
    bytes_before: int


@dataclass(slots=True)
class _Filling:
    """The shard that is being filled, and what is known of its pictures."""

    writer: ShardWriter
    copied: int = 0
    bytes_before: int = 0

    def add(self, packed: _Packed) -> None:
        self.writer.add(packed.data)
        self.copied += packed.copied
        self.bytes_before += packed.bytes_before

    def commit(self, stop: int) -> Shard:
        writer = self.writer
        return Shard(
            name=writer.path.name, sha256=writer.commit(), bytes=writer.size,
            pictures=writer.pictures, copied=self.copied, bytes_before=self.bytes_before, stop=stop,
        )  # fmt: skip


def _pack_part(
    record: PackRecord,
    label: str,
    source: Source,
    output: Path,
    threads: int,
    progress: Progress | None,
) -> PackRecord:
    """Write the shards that a part lacks, and the record after each of them."""
    done = record.part(label)
    shards, failures = list(done.shards), list(done.failures)
    filling: _Filling | None = None

    def finish(filled: _Filling, stop: int) -> PackRecord:
        shards.append(filled.commit(stop))
        part = PartRecord(shards=tuple(shards), failures=tuple(failures))
        updated = record.with_part(label, part)
        updated.write(output)
        return updated

    try:
        for place, packed in _encode_ahead(source, done.stop, record.settings, threads):
            if isinstance(packed, Failure):
                failures.append(_describe(source, place, packed))
            else:
                size = record.settings.shard_size
                if filling and filling.writer.size + len(packed.data) > size:
                    record, filling = finish(filling, place), None
                if filling is None:
                    filling = _open_shard(output, label, len(shards))
                filling.add(packed)
            if progress:
                progress.advance()
        if filling:
            record, filling = finish(filling, len(source)), None
    finally:
        if filling:
            filling.writer.abandon()
    return record.with_part(label, PartRecord(shards=tuple(shards), failures=tuple(failures)))


def _open_shard(output: Path, label: str, number: int) -> _Filling:
    path = output / f"{label}-{number:06}.tar"
    scratch_path(path).unlink(missing_ok=True)  # left by a process that was killed
    return _Filling(ShardWriter(path))


def _encode_ahead(
    source: Source, start: int, settings: PackSettings, threads: int
) -> Iterator[tuple[int, _Packed | Failure]]:
    """Yield the pictures from place ``start`` of the order on, encoded, in order."""
    keys = make_keys(source)
    waiting: deque[tuple[int, Future[_Packed | Failure]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="residua-pack")
    encode = partial(_encode, source, keys, settings)
    try:
        for place, position in enumerate(pack_order(source).tolist()):
            if place < start:
                continue
            waiting.append((place, pool.submit(encode, position)))
            if len(waiting) > threads * _AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _encode(
    source: Source, keys: list[str], settings: PackSettings, position: int
) -> _Packed | Failure:
    try:
        data = source.read(position)
        shrunk = shrink(
            data, source.names[position], short_side=settings.short_side,
            quality=settings.quality, reencode=settings.reencode,
        )  # fmt: skip
    except (ImageError, OSError) as error:
        return describe_failure(position, error)
    key = keys[position]
    if source.multi_label:
        numbers = np.flatnonzero(source.labels[position]).tolist()
        labels = {f"{key}.json": json.dumps({"label": numbers}).encode()}
    else:
        labels = {f"{key}.cls": str(int(source.labels[position])).encode()}
    files = {**labels, f"{key}.{shrunk.suffix}": shrunk.data}
    return _Packed(pack_files(files), shrunk.copied, len(data))


def _describe(source: Source, place: int, failure: Failure) -> PackFailure:
    return PackFailure(
        name=source.names[failure.index], place=place, reason=failure.reason,
        error=failure.message.splitlines()[0],
    )  # fmt: skip
