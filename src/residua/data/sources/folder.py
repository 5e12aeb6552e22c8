"""Pictures in class folders: ``DATA/CLASS/…/picture.jpg``, or the same below train/ and val/.

DATA/                       DATA/
├── daisy/                  ├── train/
│   ├── 1.jpg               │   ├── daisy/…
│   └── more/2.png          │   └── tulips/…
└── tulips/                 └── val/
    └── 3.webp                  ├── daisy/…
                                └── tulips/…

Classes are the names of the folders in sorted order, or fixed by whoever opens the folder: a class
is matched by its name (or id), never by its position. Hidden files and folders do not count. A file
is taken for a picture by its suffix; whether it is one shows when it is read.
"""

from pathlib import Path

import numpy as np

from residua.base.errors import DataError
from residua.base.nearest import nearest
from residua.bundle.schema import Classes
from residua.data.source import Files, Source
from residua.data.sources.labels import absent_note, match_names, some, spell
from residua.data.sources.place import is_hidden, title_of, walk_files

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
# Names of parts of a data set, which nobody means as classes.
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def read_folder(root: Path, classes: Classes | None = None) -> Source:
    """Return the pictures below the class folders of ``root``.

    With ``classes`` the labels are positions in that list, and a folder that is no class of it is
    an error; a class without pictures is a note. Without, the folders that hold pictures are the
    classes. Raises DataError where there is nothing to read.
    """
    folders = _class_folders(root)
    found = {folder.name: _pictures(folder) for folder in folders}
    notes = _stray_notes(root, found)
    if classes is None:
        if not any(pictures for pictures, _ in found.values()):
            raise _nothing(root, folders)
        _refuse_parts(root, list(found))
        filled = sorted({spell(name) for name, (pictures, _) in found.items() if pictures})
        classes = Classes(names=tuple(filled))
        notes += [
            f"{root / name} holds no pictures: it is no class."
            for name, (pictures, _) in found.items()
            if not pictures
        ]
    with_pictures = [name for name, (paths, _) in found.items() if paths]
    matched = match_names(with_pictures, classes, place=str(root), what="class folders")
    paths: list[Path] = []
    labels: list[int] = []
    for name, label in zip(with_pictures, matched, strict=True):
        pictures = found[name][0]
        paths += pictures
        labels += [label] * len(pictures)
    if not paths:
        raise _nothing(root, folders)
    absent = sorted(set(range(len(classes))) - set(labels))
    if absent:
        lacking = [classes.names[label] for label in absent]
        notes.append(absent_note(str(root), lacking, len(classes)))
    names = tuple(path.relative_to(root).as_posix() for path in paths)
    return Source(
        title=title_of(root),
        classes=classes,
        names=names,
        labels=np.array(labels, dtype=np.int64),
        read=Files(root, names),
        notes=tuple(notes),
    )


def _class_folders(root: Path) -> list[Path]:
    if not root.exists():
        raise DataError(
            f"There is no folder {root}.",
            next_step=_siblings(root) or "Give a folder with one folder of pictures a class.",
        )
    if not root.is_dir():
        raise DataError(
            f"{root} is a file; a folder with one folder of pictures a class was expected.",
            next_step="Unpack archives first; give the folder that holds the class folders.",
        )
    folders = [path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name)]
    return sorted(folders, key=lambda path: spell(path.name))


def _pictures(folder: Path) -> tuple[list[Path], int]:
    """Return the pictures below ``folder`` in sorted order, and how many other files lie there."""
    files = list(walk_files(folder))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    return pictures, len(files) - len(pictures)


def _refuse_parts(root: Path, folders: list[str]) -> None:
    """Refuse to take the parts of a data set for its classes."""
    if all(name.casefold() in _PARTS for name in folders):
        raise DataError(
            f"The folders of {root} look like parts of a data set, not like classes: "
            f"{some(folders)}.",
            next_step="Name the parts train/ and val/ to use both, or give one of them.",
        )


def _stray_notes(root: Path, found: dict[str, tuple[list[Path], int]]) -> list[str]:
    notes = []
    loose = [path for path in root.iterdir() if path.is_file() and not is_hidden(path.name)]
    pictures = sum(path.suffix.lower() in SUFFIXES for path in loose)
    if pictures:
        notes.append(f"{pictures} pictures directly in {root} belong to no class: left out.")
    others = sum(count for _, count in found.values())
    if others:
        notes.append(f"{others} files below {root} have no suffix of a picture: left out.")
    return notes


def _nothing(root: Path, folders: list[Path]) -> DataError:
    if folders:
        seen = f"its folders ({some([folder.name for folder in folders])}) hold no pictures"
    else:
        seen = "it has no folders"
    return DataError(
        f"{root} has no pictures in class folders: {seen}.",
        next_step="Expected is one folder a class, for example DATA/daisy/1.jpg, "
        f"with pictures named *{', *'.join(sorted(SUFFIXES))}.",
    )


def _siblings(root: Path) -> str:
    if not root.parent.is_dir():
        return ""
    names = [path.name for path in root.parent.iterdir() if path.is_dir()]
    near = nearest(root.name, names, count=3)
    return f"Nearest in {root.parent}: {', '.join(near)}." if near else ""
