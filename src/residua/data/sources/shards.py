"""Tar shards in the WebDataset layout: files of the same key, next to each other, are a picture.

    train-000.tar             classes.json beside the shards names the classes: ["cat", "dog"]
    ├── 0000.jpg              key "0000", the name up to the first dot
    ├── 0000.cls              a number (or a name); or .label, .txt (a name), .json ({"label": …})
    ├── 0001.jpg
    └── 0001.cls

Given are one archive, a folder of them, a wildcard or a range (``train-{000..012}.tar``). The
headers are read once at the start; after that each picture is one read at its place, in any order
and from any number of threads.
"""

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.base.progress import progressing
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.class_lists import find_classes
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.labels import Known, Value, collect, label
from residua.data.sources.place import expand, title_of
from residua.data.sources.table_columns import LABELS
from residua.data.sources.tar import Member, list_members, read_at

SHARDS = frozenset({".tar"})
_LABELS = ("cls", "label", "json", "txt")


def read_shards(place: str, settings: DataPart, classes: Classes | None = None) -> Source:
    """Return the pictures of tar shards; with ``classes`` labels are positions in it.

    ``data.image_column`` and ``data.label_column`` name suffixes ("jpg", "cls") or, for labels, a
    key of the .json. Files without a picture of the same key are left out, with a note. Raises
    DataError for a damaged archive and a picture without a label.
    """
    files = expand(place, SHARDS)
    index, values = _Index(), []
    for by_suffix, file, key in _list_pictures(place, files, settings, index):
        values.append(_read_label(by_suffix, settings, file, key))
    own, notes = find_classes(settings.label_map, files[0].parent)
    labels = label(
        collect(values), Known(own, classes), place=place, multi_label=settings.multi_label
    )
    if index.strays:
        notes += (f"{index.strays} files in {place} belong to no picture: left out.",)
    return Source(
        title=title_of(Path(place)),
        classes=labels.classes,
        names=tuple(index.names),
        labels=labels.array,
        read=index.make_reader(files),
        notes=(*notes, *labels.notes),
    )


def index_shards(place: str) -> tuple[tuple[str, ...], Callable[[int], bytes]]:
    """Return names and reader of the pictures of tar shards, whatever labels lie beside them."""
    files = expand(place, SHARDS)
    index = _Index()
    for _ in _list_pictures(place, files, DataPart(), index):
        pass
    return tuple(index.names), index.make_reader(files)


def _list_pictures(
    place: str, files: Sequence[Path], settings: DataPart, index: "_Index"
) -> Iterator[tuple[dict[str, Member], Path, str]]:
    """Fill ``index``, and yield what lies beside each picture, by suffix. Raises DataError."""
    listed = progressing(files, "Listing shards", len(files), unit="shards")
    for number, file in enumerate(listed):
        for key, members in groupby(list_members(file), key=lambda member: _split(member.name)[0]):
            by_suffix = {_split(member.name)[1]: member for member in members}
            image = _choose_image(by_suffix, settings.image_column, f"{file}, {key}")
            if image is None:
                index.strays += len(by_suffix)
                continue
            index.add(number, image, file)
            yield by_suffix, file, key
    if not index.names:
        raise DataError(
            f"{place} holds no pictures in {len(files)} archives.",
            next_step="Expected are pairs such as 0001.jpg and 0001.cls: of the same name up to "
            "the first dot.",
        )


@dataclass(frozen=True, slots=True)
class _ShardReader:
    """Reads pictures by position: which archive, at which byte, how many bytes."""

    files: tuple[Path, ...]
    shards: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __call__(self, index: int) -> bytes:
        return read_at(
            self.files[self.shards[index]], int(self.offsets[index]), int(self.sizes[index])
        )


@dataclass(slots=True)
class _Index:
    """The index while it grows: 24 bytes and a name a picture."""

    names: list[str] = field(default_factory=list)
    places: "array[int]" = field(default_factory=lambda: array("q"))
    strays: int = 0

    def add(self, shard: int, image: Member, file: Path) -> None:
        self.names.append(f"{file.name}/{image.name}")
        self.places.extend((shard, image.offset, image.size))

    def make_reader(self, files: Sequence[Path]) -> _ShardReader:
        columns = np.array(self.places, dtype=np.int64).reshape(-1, 3).T.copy()
        return _ShardReader(tuple(files), *columns)


def _split(name: str) -> tuple[str, str]:
    """Return key and suffix: the file's name is divided at its first dot."""
    folder, slash, file = name.rpartition("/")
    key, _, suffix = file.partition(".")
    return f"{folder}{slash}{key}", suffix.lower()


def _choose_image(by_suffix: dict[str, Member], wanted: str, where: str) -> Member | None:
    if wanted:
        return by_suffix.get(wanted.lower().lstrip("."))
    found = [suffix for suffix in by_suffix if f".{suffix}" in SUFFIXES]
    if len(found) > 1:
        raise DataError(
            f"{where} has {len(found)} pictures: {', '.join(found)}.",
            next_step="Choose one by its suffix: data.image_column=jpg.",
        )
    return by_suffix[found[0]] if found else None


def _read_label(by_suffix: dict[str, Member], settings: DataPart, file: Path, key: str) -> Value:
    wanted = settings.label_column
    as_suffix = wanted.lower().lstrip(".")
    suffixes = ("json",) if wanted else _LABELS
    for suffix in (as_suffix,) if as_suffix in by_suffix else suffixes:
        if suffix not in by_suffix:
            continue
        _, offset, size = by_suffix[suffix]
        try:
            text = read_at(file, offset, size).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"{file}, {key}.{suffix} is no text in UTF-8.") from error
        if suffix != "json":
            return text
        found = _from_json(text, "" if suffix == as_suffix else wanted, f"{file}, {key}.json")
        if found is not None:
            return found
    raise DataError(
        f"{file}, {key} has no label: beside the picture there are only: "
        f"{', '.join(sorted(by_suffix))}.",
        next_step=f"Expected is one of {', '.join(f'{key}.{suffix}' for suffix in _LABELS)}; "
        "or name its suffix, or its key in the .json, with data.label_column.",
    )


def _from_json(text: str, wanted: str, where: str) -> Value | None:
    """Return the label that a .json tells; None where it tells none."""
    try:
        record: Any = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is no JSON: {error}.") from error
    if not isinstance(record, dict):
        return None
    for key in _keys(wanted):
        value = record.get(key)
        if isinstance(value, str | int):
            return int(value) if isinstance(value, bool) else value
        if isinstance(value, list) and all(isinstance(atom, str | int) for atom in value):
            return tuple(value)
    return None


def _keys(wanted: str) -> Iterator[str]:
    yield from [wanted] if wanted else LABELS
