"""List files as PaddleClas has them: a line "path label" a picture.

    daisy/1.jpg 0                  blank, tab, comma or semicolon; one of them for the whole file
    my pictures/a, b.jpg 3         paths may hold any of them: the label begins after the suffix
    x.jpg<tab>0,1,0,1              multi-label: of each class whether it applies, or a list

Labels are numbers or names. Names for the numbers come from ``data.label_map``, or from
``classes.json`` beside the list; without them the classes are "0" to the largest number.
"""

import re
from array import array
from pathlib import Path

import numpy as np

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Files, Source
from residua.data.sources.class_lists import find_classes
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.labels import Cells, Known, label
from residua.data.sources.place import missing, title_of

_DELIMITERS = ("\t", ";", ",", "|", " ")
_SAMPLE = 100  # lines that decide on the delimiter; files whose presence is looked at
_ENDINGS = "|".join(sorted(suffix[1:] for suffix in SUFFIXES))


def read_list(path: Path, settings: DataPart, classes: Classes | None = None) -> Source:
    """Return the pictures that a list file names; with ``classes`` labels are positions in it.

    Paths are relative to ``settings.root`` or, without it, to the list's folder. Raises DataError
    that names the line which is no "path label".
    """
    names, cells = _parse(path, settings.delimiter)
    root = Path(settings.root) if settings.root else path.parent
    own, notes = find_classes(settings.label_map, path.parent)
    labels = label(cells, Known(own, classes), place=str(path), multi_label=settings.multi_label)
    return Source(
        title=title_of(path),
        classes=labels.classes,
        names=names,
        labels=labels.array,
        read=Files(root, names),
        notes=(*notes, *check_files(root, names, path), *labels.notes),
    )


def check_files(root: Path, names: tuple[str, ...], listing: Path) -> list[str]:
    """Return notes on files that a listing names; refuse one of which no file is there.

    A hundred files are looked for: to ask for each of a million takes minutes on a network drive,
    and one that is missing shows when it is read.
    """
    step = -(-len(names) // _SAMPLE)
    looked = names[::step]
    absent = [name for name in looked if not (root / name).is_file()]
    if len(absent) == len(looked):
        raise DataError(
            f"None of the files that {listing} names is there, for example {root / absent[0]}.",
            next_step="Paths are relative to the folder of the listing; set data.root to the "
            "folder that they are relative to.",
        )
    notes = []
    if absent:
        notes.append(
            f"{len(absent)} of {len(looked)} files looked for are missing, for example "
            f"{root / absent[0]}."
        )
    repeated = len(names) - len(set(names))
    if repeated:
        notes.append(f"{listing} names {repeated} pictures more than once.")
    return notes


def _parse(path: Path, delimiter: str) -> tuple[tuple[str, ...], Cells]:
    """Return the paths and the labels of a list file."""
    if not path.is_file():
        raise missing(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            numbered = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no text in UTF-8: {error.reason} at byte {error.start}.",
            next_step="Save it as UTF-8.",
        ) from error
    if not numbered:
        raise DataError(f"{path} lists no pictures.")
    sample = [line for _, line in numbered[:_SAMPLE]]
    delimiter = delimiter.replace("\\t", "\t") or _guess(sample, path)
    pattern = _pattern(delimiter)
    names: list[str] = []
    values: dict[str, int] = {}
    codes = array("q")
    for number, line in numbered:
        found = _split(line, delimiter, pattern)
        if found is None:
            raise DataError(
                f"{path}, line {number}: {line.strip()!r} is no path and label divided by "
                f"{_name(delimiter)}.",
                next_step="Write: daisy/1.jpg 0. Another delimiter is set by data.delimiter.",
            )
        names.append(found[0])
        codes.append(values.setdefault(found[1], len(values)))
    return tuple(names), Cells(tuple(values), np.array(codes, dtype=np.int64))


def _guess(lines: list[str], path: Path) -> str:
    """Return the delimiter that divides every line, best right behind the suffix of a picture."""
    for delimiter in _DELIMITERS:
        if all(_pattern(delimiter).fullmatch(line.strip()) for line in lines):
            return delimiter
    for delimiter in _DELIMITERS:
        if all(_split(line, delimiter, None) for line in lines):
            return delimiter
    raise DataError(
        f"{path} is no list of pictures and labels: no delimiter divides all of its first "
        f"{len(lines)} lines, the first of which is {lines[0].strip()!r}.",
        next_step="Write a line like 'daisy/1.jpg 0' a picture, or set data.delimiter.",
    )


def _split(line: str, delimiter: str, pattern: re.Pattern[str] | None) -> tuple[str, str] | None:
    line = line.strip()
    match = pattern.fullmatch(line) if pattern else None
    if match:
        return match[1], match[2].strip()
    path, _, text = line.rpartition(delimiter)
    return (path.strip(), text.strip()) if path.strip() and text.strip() else None


def _pattern(delimiter: str) -> re.Pattern[str]:
    """Return the pattern of a line whose label begins behind the last suffix of a picture."""
    return re.compile(rf"(.+\.(?:{_ENDINGS}))\s*{re.escape(delimiter)}(.+)", re.IGNORECASE)


def _name(delimiter: str) -> str:
    return {"\t": "a tab", " ": "a blank"}.get(delimiter, repr(delimiter))
