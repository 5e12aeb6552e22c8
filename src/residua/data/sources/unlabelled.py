"""Pictures without labels: a folder of any depth, tar shards, or a list of files.

    more/                      whatever lies below it and has the suffix of a picture
    more-{000..099}.tar        shards; labels beside the pictures are not looked at
    more.txt                   a path a line, relative to the list; what follows a tab is left out,
                               and the label 0 that PaddleClas puts behind a blank

``join`` puts them behind a labelled source: one training then sees both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.source import UNLABELLED, Files, Source
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.open import LISTS, kind_of
from residua.data.sources.place import missing, title_of, walk_files
from residua.data.sources.shards import index_shards


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Where unlabelled pictures are; ``root`` is what names are relative to, None of shards."""

    place: str
    root: Path | None

    def names(self) -> Iterator[str]:
        """Yield the names of the files of a folder or list, in an order that stays the same."""
        path = Path(self.place)
        if not path.is_dir():
            yield from _read_lines(path)
            return
        for file in walk_files(path):
            if file.suffix.lower() in SUFFIXES:
                yield file.relative_to(path).as_posix()


def find_unlabelled(place: str | Path) -> Unlabelled:
    """Return where the pictures of ``place`` are. Raises DataError where it is of no such kind."""
    path = Path(place)
    if path.suffix.lower() in LISTS:
        if not path.is_file():
            raise missing(path)
        return Unlabelled(str(place), path.parent)
    if kind_of(place) == "shards":
        return Unlabelled(str(place), None)
    if path.is_dir():
        return Unlabelled(str(place), path)
    if not path.exists():
        raise missing(path)
    raise DataError(
        f"{place} holds no pictures without labels that residua could read.",
        next_step="Give a folder of pictures, tar shards, or a list with a path a line.",
    )


def open_unlabelled(place: str | Path, classes: Classes) -> Source:
    """Return the pictures at ``place`` as a source of ``classes`` in which none has a label.

    Raises DataError where there is nothing to read.
    """
    found = find_unlabelled(place)
    read: Callable[[int], bytes]
    if found.root is None:
        names, read = index_shards(found.place)
    else:
        names = tuple(found.names())
        read = Files(found.root, names)
    if not names:
        raise DataError(f"{place} holds no pictures.")
    labels = np.full(len(names), UNLABELLED, dtype=np.int64)
    return Source(title_of(Path(place)), classes, names, labels, read)


def join(labelled: Source, unlabelled: Source) -> Source:
    """Return one source of both, the labelled pictures first."""
    if labelled.multi_label:
        raise DataError("Pictures without labels cannot be added to multi-label data.")
    count = len(labelled)
    return replace(
        labelled,
        title=f"{labelled.title} and {unlabelled.title}",
        names=labelled.names + unlabelled.names,
        labels=np.concatenate([labelled.labels, unlabelled.labels]),
        read=_Joined(labelled.read, unlabelled.read, count),
        notes=labelled.notes + unlabelled.notes,
        groups=(*labelled.groups, *[""] * len(unlabelled)) if labelled.groups else (),
    )


@dataclass(frozen=True, slots=True)
class _Joined:
    """Reads from the first of two sources, and behind its end from the second."""

    first: Callable[[int], bytes]
    second: Callable[[int], bytes]
    count: int

    def __call__(self, index: int) -> bytes:
        if index < self.count:
            return self.first(index)
        return self.second(index - self.count)


def can_list(name: str) -> bool:
    """Tell whether a list can name a file so: it ends at a tab or a line break."""
    return name == name.strip() and not any(mark in name for mark in "\t\r\n")


def _read_lines(path: Path) -> Iterator[str]:
    """Yield the names of a list; file names of any bytes come back as the system has them."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines):
            name = line.partition("\t")[0].strip()
            name = name.removeprefix("\ufeff") if number == 0 else name
            if "\0" in name:
                raise DataError(f"{path} is no list of file names.", next_step="Save it as UTF-8.")
            if name:
                yield _cut_label(name)


def _cut_label(line: str) -> str:
    """Return the name of a line as PaddleClas writes them, "web/1.jpg 0", without the label."""
    name, blank, label = line.rpartition(" ")
    known = Path(name).suffix.lower() in SUFFIXES and Path(line).suffix.lower() not in SUFFIXES
    return name.rstrip() if blank and label.lstrip("-").isdigit() and known else line
