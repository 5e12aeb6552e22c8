"""Files that name the classes of a data set: label maps and lists.

A label map has a line "index name" a class, as PaddleClas writes them; a ``.txt`` without numbers
has a name a line, in order. JSON: a list of names, or an object of names by index or back.
``classes.json`` or ``classes.txt`` beside a list file, table or shards is found by itself.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.sources.place import missing

_BESIDE = ("classes.json", "classes.txt")
_LINE = re.compile(r"(\d+)[\s,:]\s*(\S.*)")


def find_classes(label_map: str, folder: Path) -> tuple[Classes | None, tuple[str, ...]]:
    """Return the classes that data in ``folder`` are named by, if they are, and a note on it.

    ``label_map`` (empty: none) is a path as given, or relative to ``folder``; it wins.
    """
    if label_map:
        path = Path(label_map)
        if not path.is_file() and (folder / label_map).is_file():
            path = folder / label_map
        return read_classes(path, numbered=True), ()
    for name in _BESIDE:
        if (folder / name).is_file():
            note = f"The classes are those of {folder / name}, in its order."
            return read_classes(folder / name), (note,)
    return None, ()


def read_classes(path: Path, *, numbered: bool = False) -> Classes:
    """Return the classes that a file names. ``numbered``: lines of a text begin with the index.

    Raises DataError where it is none, or where an index is missing or stands twice.
    """
    if not path.is_file():
        raise missing(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            names = _from_json(json.loads(text), path)
        elif numbered:
            names = _in_order(_split_lines(text, path), path)
        else:
            names = [line.strip() for line in text.splitlines() if line.strip()]
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of classes: {error}.") from error
    if not names:
        raise DataError(f"{path} names no class.")
    return Classes(names=tuple(names))


def parse_classes(text: bytes | None) -> Classes | None:
    """Return the classes of a JSON list in the metadata of a table; None where it is none."""
    if not text:
        return None
    try:
        names = json.loads(text)
    except ValueError:
        return None
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return Classes(names=tuple(names))
    return None


def _from_json(content: Any, path: Path) -> list[str]:
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return content
    if isinstance(content, Mapping):
        if all(isinstance(value, str) and str(key).isdigit() for key, value in content.items()):
            return _in_order(((int(key), value) for key, value in content.items()), path)
        if all(type(value) is int for value in content.values()):
            return _in_order(((value, key) for key, value in content.items()), path)
    raise DataError(
        f"{path} is no list of class names.",
        next_step='Expected is ["cat", "dog"], {"0": "cat", "1": "dog"} or {"cat": 0, "dog": 1}.',
    )


def _split_lines(text: str, path: Path) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise DataError(
                    f"{path}, line {number}: {line.strip()!r} is no 'index name'.",
                    next_step="A label map has lines like: 0 daisy",
                )
            yield int(match[1]), match[2]


def _in_order(pairs: Iterable[tuple[int, str]], path: Path) -> list[str]:
    names: dict[int, str] = {}
    for index, name in pairs:
        if index in names:
            raise DataError(f"{path} names class {index} twice: {names[index]!r} and {name!r}.")
        names[index] = name
    absent = [index for index in range(len(names)) if index not in names]
    if absent:
        raise DataError(
            f"{path} names {len(names)} classes, but not class {absent[0]}.",
            next_step="Number the classes from 0 on, without gaps.",
        )
    return [names[index] for index in range(len(names))]
