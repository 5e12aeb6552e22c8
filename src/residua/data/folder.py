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

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.base.errors import DataError
from residua.base.nearest import nearest
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.data.split import split

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
# Names of parts of a data set, which nobody means as classes.
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reads files by position."""

    paths: tuple[Path, ...]

    def __call__(self, index: int) -> bytes:
        return self.paths[index].read_bytes()


@dataclass(frozen=True, slots=True)
class Parts:
    """A training and a validation part; of a split also the fingerprint of the whole listing."""

    training: Source
    validation: Source
    listing_sha256: str = ""


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
        filled = sorted({_spell(name) for name, (pictures, _) in found.items() if pictures})
        classes = Classes(names=tuple(filled))
        notes += [
            f"{root / name} holds no pictures: it is no class."
            for name, (pictures, _) in found.items()
            if not pictures
        ]
    labels_by_name = _match(root, [name for name, (paths, _) in found.items() if paths], classes)
    paths: list[Path] = []
    labels: list[int] = []
    for name, label in labels_by_name.items():
        pictures = found[name][0]
        paths += pictures
        labels += [label] * len(pictures)
    if not paths:
        raise _nothing(root, folders)
    absent = sorted(set(range(len(classes))) - set(labels))
    if absent:
        notes.append(_absent_note(root, [classes.names[label] for label in absent], len(classes)))
    return Source(
        title=_title(root),
        classes=classes,
        names=tuple(path.relative_to(root).as_posix() for path in paths),
        labels=np.array(labels, dtype=np.int64),
        read=_FileReader(tuple(paths)),
        notes=tuple(notes),
    )


def has_parts(root: Path) -> bool:
    """Tell whether ``root`` is already divided into train/ and val/."""
    return (root / "train").is_dir() and (root / "val").is_dir()


def read_parts(root: Path, *, fraction: float, seed: int) -> Parts:
    """Return the training and validation pictures of ``root``: train/ and val/, or a split.

    ``fraction`` and ``seed`` matter for the split only. The classes of both are those of the
    training part.
    """
    if has_parts(root):
        training = read_folder(root / "train")
        return Parts(training, read_folder(root / "val", training.classes))
    whole = read_folder(root)
    training, validation = split(whole, fraction=fraction, seed=seed)
    return Parts(training, validation, whole.listing_sha256())


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
    folders = [path for path in root.iterdir() if path.is_dir() and not _hidden(path.name)]
    return sorted(folders, key=lambda path: _spell(path.name))


def _pictures(folder: Path) -> tuple[list[Path], int]:
    """Return the pictures below ``folder`` in sorted order, and how many other files lie there."""
    pictures: list[Path] = []
    others = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(files):
            if _hidden(name):
                continue
            if Path(name).suffix.lower() in SUFFIXES:
                pictures.append(Path(place, name))
            else:
                others += 1
    return pictures, others


def _match(root: Path, folders: list[str], classes: Classes) -> dict[str, int]:
    """Return the label of each folder, by id or by name; refuse the unknown and the ambiguous."""
    places: dict[str, list[int]] = {}
    for keys in (classes.names, classes.ids):
        for label, key in enumerate(keys):
            places.setdefault(_spell(key), []).append(label)
    unknown = [name for name in folders if _spell(name) not in places]
    if unknown:
        near = nearest(unknown[0], classes.names, count=3)
        raise DataError(
            f"{root} has {len(unknown)} of {len(folders)} class folders that are none of the "
            f"{len(classes)} classes of the model: {_some(unknown)}.",
            next_step=f"Nearest to {unknown[0]!r}: {', '.join(near) or 'nothing'}. Rename the "
            "folders to the model's class names or ids, or move the unknown ones away.",
        )
    matched = {name: places[_spell(name)] for name in folders}
    for name, labels in matched.items():
        if len(set(labels)) > 1:
            raise DataError(
                f"The class folder {root / name} fits {len(labels)} classes of the model.",
                next_step="Name the folder by the id of its class.",
            )
    return {name: labels[0] for name, labels in matched.items()}


def _refuse_parts(root: Path, folders: list[str]) -> None:
    """Refuse to take the parts of a data set for its classes."""
    if all(name.casefold() in _PARTS for name in folders):
        raise DataError(
            f"The folders of {root} look like parts of a data set, not like classes: "
            f"{_some(folders)}.",
            next_step="Name the parts train/ and val/ to use both, or give one of them.",
        )


def _stray_notes(root: Path, found: dict[str, tuple[list[Path], int]]) -> list[str]:
    notes = []
    loose = [path for path in root.iterdir() if path.is_file() and not _hidden(path.name)]
    pictures = sum(path.suffix.lower() in SUFFIXES for path in loose)
    if pictures:
        notes.append(f"{pictures} pictures directly in {root} belong to no class: left out.")
    others = sum(count for _, count in found.values())
    if others:
        notes.append(f"{others} files below {root} have no suffix of a picture: left out.")
    return notes


def _absent_note(root: Path, names: list[str], total: int) -> str:
    return f"{root} has no pictures of {len(names)} of {total} classes: {_some(names)}."


def _nothing(root: Path, folders: list[Path]) -> DataError:
    if folders:
        seen = f"its folders ({_some([folder.name for folder in folders])}) hold no pictures"
    else:
        seen = "it has no folders"
    return DataError(
        f"{root} has no pictures in class folders: {seen}.",
        next_step="Expected is one folder a class, for example DATA/daisy/1.jpg, "
        f"with pictures named *{', *'.join(sorted(SUFFIXES))}.",
    )


def _title(root: Path) -> str:
    """Name a folder without telling in a bundle where on this machine it lies."""
    return "/".join(root.parts[-2:]) if root.is_absolute() else str(root)


def _siblings(root: Path) -> str:
    if not root.parent.is_dir():
        return ""
    names = [path.name for path in root.parent.iterdir() if path.is_dir()]
    near = nearest(root.name, names, count=3)
    return f"Nearest in {root.parent}: {', '.join(near)}." if near else ""


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def _spell(name: str) -> str:
    """Spell a name in composed Unicode: macOS decomposes what it stores."""
    return unicodedata.normalize("NFC", name)
