"""``pack.json``: what a folder of shards was made of and how, and how far that has come.

It is written anew, atomically, after each shard, so that a pack that was cut short goes on with the
next one:

    {"settings": {…}, "data": {…}, "finished": false,
     "parts": {"train": {"shards": [{"name": "train-000000.tar", "sha256": …, "stop": 8123, …}],
                         "failures": [{"name": …, "reason": "damaged", "error": …}]}}}

A shard counts where its file has the recorded hash; it and those after it are made anew otherwise.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import PIL
from pydantic import Field, ValidationError

from residua.base.errors import DataError, SettingError
from residua.base.files import sha256_of, write_atomic
from residua.base.version import __version__
from residua.bundle.schema import Positive, Record
from residua.data.source import Source

NAME = "pack.json"
Count = Annotated[int, Field(ge=0)]


class PackSettings(Record):
    """How pictures are packed; what another value of would give other shards."""

    short_side: Positive = 256
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    shard_size: Annotated[int, Field(ge=10_000)] = 256_000_000
    reencode: bool = False
    # Another version may compress otherwise, and a pack is to be of one piece.
    encoder: str = f"Pillow {PIL.__version__}"


class PackedPart(Record):
    """What a part was: title, number of pictures, fingerprint of names and labels."""

    title: str
    pictures: Count
    listing_sha256: str


class Shard(Record):
    """A finished shard. ``stop`` is the place in the part's order at which the next one begins.

    ``bytes_before`` are those of the files that went into it, ``copied`` counts those that went in
    as they were.
    """

    name: str
    sha256: str
    bytes: Count
    pictures: Count
    copied: Count
    bytes_before: Count
    stop: Count


class PackFailure(Record):
    """A picture that was left out: its name, place in the order, and why."""

    name: str
    place: Count
    reason: str
    error: str


class PartRecord(Record):
    """How far a part has come."""

    shards: tuple[Shard, ...] = ()
    failures: tuple[PackFailure, ...] = ()

    @property
    def stop(self) -> int:
        """The place in the order from which on pictures are missing."""
        return self.shards[-1].stop if self.shards else 0


class PackRecord(Record):
    """The whole of ``pack.json``."""

    format: Literal["residua-pack-1"] = "residua-pack-1"
    made_by: str = f"residua {__version__}"
    settings: PackSettings
    data: dict[str, PackedPart]
    finished: bool = False
    parts: dict[str, PartRecord] = Field(default_factory=dict)

    def part(self, label: str) -> PartRecord:
        """Return how far a part has come."""
        return self.parts.get(label, PartRecord())

    def with_part(self, label: str, part: PartRecord) -> "PackRecord":
        """Return the record with a part brought up to date."""
        return self.model_copy(update={"parts": {**self.parts, label: part}})

    def write(self, output: Path) -> None:
        """Write it to ``output``, so that a crash leaves the old one or the new."""
        text = json.dumps(self.model_dump(mode="json"), indent=1)
        write_atomic(output / NAME, f"{text}\n".encode())


def begin_record(output: Path, parts: dict[str, Source], settings: PackSettings) -> PackRecord:
    """Return the record to go on with: that of ``output``, or a new one.

    Raises SettingError where ``output`` holds something else, or was begun with other settings or
    other data, and DataError where its record cannot be read.
    """
    data = {
        label: PackedPart(
            title=source.title, pictures=len(source), listing_sha256=source.listing_sha256()
        )
        for label, source in parts.items()
    }
    wanted = PackRecord(settings=settings, data=data)
    file = output / NAME
    if not file.exists():
        _refuse_other_content(output)
        return wanted
    try:
        found = PackRecord.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{file} is no record of a pack that this version reads: "
            f"{error.errors(include_url=False)[0]['msg']}.",
            next_step="Give another output folder, or delete this one.",
        ) from error
    differences = _compare(found, wanted)
    if differences:
        raise SettingError(
            f"{output} was begun otherwise: {'; '.join(differences)}.",
            next_step="Give the former settings to go on, or another output folder.",
        )
    return found


def keep_intact(output: Path, part: PartRecord) -> tuple[PartRecord, str]:
    """Return the part with the shards that are there with their recorded hash, and what is wrong.

    Shards after a damaged one are left out as well, which may begin at another place now.
    """
    kept, problem = part.shards, ""
    for number, shard in enumerate(part.shards):
        file = output / shard.name
        missing = not file.is_file()
        if missing or file.stat().st_size != shard.bytes or sha256_of(file) != shard.sha256:
            kept = part.shards[:number]
            problem = f"{shard.name} {'is missing' if missing else 'has changed'}"
            break
    stop = kept[-1].stop if kept else 0
    failures = tuple(failure for failure in part.failures if failure.place < stop)
    return PartRecord(shards=kept, failures=failures), problem


def _refuse_other_content(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise SettingError(f"{output} is a file; a folder was expected.")
    other = [entry.name for entry in _list(output) if not entry.name.startswith(".")]
    if other:
        raise SettingError(
            f"{output} holds other things: {', '.join(sorted(other)[:3])}.",
            next_step="Give a new folder, or an empty one.",
        )


def _list(folder: Path) -> Sequence[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _compare(found: PackRecord, wanted: PackRecord) -> list[str]:
    """Return what differs, in words."""
    differences = [
        f"{name.replace('_', '-')} was {getattr(found.settings, name)}, now {value}"
        for name, value in wanted.settings
        if getattr(found.settings, name) != value
    ]
    if set(found.data) != set(wanted.data):
        differences.append(f"its parts were {', '.join(found.data)}, now {', '.join(wanted.data)}")
    for label in sorted(found.data.keys() & wanted.data.keys()):
        one, other = found.data[label], wanted.data[label]
        if one.listing_sha256 != other.listing_sha256:
            differences.append(
                f"the names or labels of {label} differ ({one.pictures} pictures, now "
                f"{other.pictures})"
            )
    return differences
