"""Pictures without labels: a folder of any depth, tar shards, or a list of files.

    more/                      whatever lies below it and has the suffix of a picture
    more-{000..099}.tar        shards; labels beside the pictures are not looked at
    more.txt                   a path a line, relative to the list; what follows a tab is left out

``join`` puts them behind a labelled source: one training then sees both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.source import UNLABELLED, Files, Source
from residua.data.sources.folder import list_pictures
from residua.data.sources.open import LISTS, kind_of
from residua.data.sources.place import missing, title_of
from residua.data.sources.shards import index_shards


def open_unlabelled(place: str | Path, classes: Classes) -> Source:
    """Return the pictures at ``place`` as a source of ``classes`` in which none has a label.

    Raises DataError where there is nothing to read.
    """
    place = str(place)
    path = Path(place)
    read: Callable[[int], bytes]
    if path.suffix.lower() in LISTS:
        names = _read_list(path)
        read = Files(path.parent, names)
    elif kind_of(place) == "shards":
        names, read = index_shards(place)
    elif path.is_dir():
        found = list_pictures(path)[0]
        names = tuple(each.relative_to(path).as_posix() for each in found)
        read = Files(path, names)
    else:
        raise DataError(
            f"{place} holds no pictures without labels that residua could read.",
            next_step="Give a folder of pictures, tar shards, or a list with a path a line.",
        )
    if not names:
        raise DataError(f"{place} holds no pictures.")
    labels = np.full(len(names), UNLABELLED, dtype=np.int64)
    return Source(title_of(path), classes, names, labels, read)


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


def _read_list(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise missing(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8.", next_step="Save it as UTF-8.") from error
    return tuple(name for line in lines if (name := line.partition("\t")[0].strip()))
