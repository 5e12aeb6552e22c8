"""Where a data set lies: paths, wildcards and ranges such as ``train-{000..012}.tar``."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from residua.base.errors import DataError
from residua.base.nearest import nearest

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_pattern(place: str) -> bool:
    """Tell whether ``place`` stands for several files: it has a wildcard or a range of numbers."""
    return not Path(place).exists() and bool(glob.has_magic(place) or _RANGE.search(place))


def expand(place: str, suffixes: frozenset[str]) -> list[Path]:
    """Return the files that ``place`` stands for, sorted: a file, a folder's files or a pattern's.

    Of a folder those directly in it with one of ``suffixes``. Raises DataError where one is
    missing or there are none.
    """
    path = Path(place)
    if is_pattern(place):
        return _expand_pattern(place)
    if not path.exists():
        raise missing(path)
    if path.is_file():
        return [path]
    files = [entry for entry in path.iterdir() if entry.suffix.lower() in suffixes]
    files = [entry for entry in files if entry.is_file() and not is_hidden(entry.name)]
    if not files:
        raise DataError(f"{path} holds no files named *{', *'.join(sorted(suffixes))}.")
    return sorted(files)


def missing(path: Path) -> DataError:
    """Return the error for a place that is not there, with its nearest neighbours."""
    near: tuple[str, ...] = ()
    if path.parent.is_dir():
        near = nearest(path.name, (entry.name for entry in path.parent.iterdir()), count=3)
    return DataError(
        f"There is no file or folder {path}.",
        next_step=f"Nearest in {path.parent}: {', '.join(near)}." if near else "",
    )


def title_of(path: Path) -> str:
    """Name a place without telling in a bundle where on this machine it lies."""
    return "/".join(path.parts[-2:]) if path.is_absolute() else str(path)


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield the files below ``folder`` at any depth, folder by folder, sorted, none hidden."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            if not is_hidden(name):
                yield Path(place, name)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is the system's, not the user's."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def spell_out(text: str) -> list[str]:
    """Return ``text`` with its ranges written out; the first number's width is kept."""
    match = _RANGE.search(text)
    if match is None:
        return [text]
    first, last = match.groups()
    if int(first) > int(last):
        raise DataError(f"The range {match.group()} in {text} ends before it begins.")
    numbers = (f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1))
    return [
        spelled
        for number in numbers
        for spelled in spell_out(text[: match.start()] + number + text[match.end() :])
    ]


def _expand_pattern(place: str) -> list[Path]:
    found: list[Path] = []
    for text in spell_out(place):
        if glob.has_magic(text):
            path = Path(text)
            matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
            if not matching:
                raise DataError(f"No file matches {text}.", next_step="Quote it from the shell.")
            found += matching
        elif Path(text).is_file():
            found.append(Path(text))
        else:
            raise missing(Path(text))
    return found
