"""The training and the validation part of a data set: given, found by their names, or split off.

Found are, in this order, within a folder:

    train_list.txt, val_list.txt          list files (also train.txt, train.lst)
    train.csv, val.csv                    tables; also train-*.parquet and the like
    train-000.tar …, val-000.tar …        shards
    train/, val/                          folders of any kind
    a data set of several splits          Hugging Face

"valid", "validation" and "dev" are as good as "val". "test" is taken where there is none of them,
with a note: a model that is chosen by its test figures has none left that are independent.
"""

import glob
import re
from dataclasses import dataclass, replace
from pathlib import Path

from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Parts
from residua.data.sources.hub import is_hub, list_splits
from residua.data.sources.labels import is_numbered
from residua.data.sources.open import LISTS, kind_of, open_source
from residua.data.sources.place import is_hidden
from residua.data.sources.shards import SHARDS
from residua.data.sources.table import TABLES
from residua.data.split import split

_TRAINING = ("train", "training")
_VALIDATION = ("val", "valid", "validation", "dev")
_TEST = ("test", "testing")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the two parts of a data set lie, with a note where that needs saying."""

    training: str
    validation: str
    notes: tuple[str, ...] = ()


def open_parts(
    place: str | Path,
    settings: DataPart | None = None,
    *,
    validation: str | Path | None = None,
    classes: Classes | None = None,
) -> Parts:
    """Return the training and validation pictures of ``place``.

    ``validation`` says where the latter are; else they are found beside the former (see above), or
    split off: ``settings.val_fraction`` of each class, by ``settings.split_seed``. The classes of
    both are those of the training part; where these are numbers without names, up to the largest
    of both; or ``classes``, in their order. Raises DataError where a part has a class that the
    training part, or ``classes``, has not.
    """
    settings = settings or DataPart()
    found = find_parts(place, settings)
    if validation:
        training = found.training if found else str(place)
        return _open_both(Places(training, str(validation)), settings, classes)
    if found:
        return _open_both(found, settings, classes)
    whole = open_source(place, settings, classes)
    training_part, held_out = split(whole, fraction=settings.val_fraction, seed=settings.split_seed)
    return Parts(training_part, held_out, whole.listing_sha256())


def find_parts(place: str | Path, settings: DataPart | None = None) -> Places | None:
    """Return where the parts of ``place`` are; None where it is not divided."""
    place, wanted = str(place), settings.format if settings else "auto"
    if wanted in {"auto", "hub"} and is_hub(place):
        return _choose(list_splits(place), place)
    root = Path(place)
    if not root.is_dir():
        return None
    kinds: tuple[str, ...] = ("list", "table", "shards", "folder")
    if wanted != "auto":  # folders train/ and val/ may hold tables or shards, but are no lists
        kinds = (wanted,) if wanted == "list" else (wanted, "folder")
    found = {kind: _choose(_list_parts(root, kind), place) for kind in kinds}
    # A test part is the last resort, whatever it is made of.
    places = sorted((part for part in found.values() if part), key=lambda part: bool(part.notes))
    if not places:
        return None
    chosen, folders = places[0], found.get("folder")
    if folders and chosen is not folders and _hold_folders(folders):
        names = f"{Path(chosen.training).name} and {Path(chosen.validation).name}"
        note = f"{place} is read by {names}; data.format=folder takes its class folders instead."
        return replace(chosen, notes=(*chosen.notes, note))
    return chosen


def _open_both(places: Places, settings: DataPart, classes: Classes | None) -> Parts:
    training = open_source(places.training, settings, classes)
    if (
        classes is None
        and is_numbered(training.classes)
        and kind_of(places.training, settings) != "folder"
    ):
        own = open_source(places.validation, settings).classes
        if is_numbered(own) and len(own) > len(training.classes):
            training = open_source(places.training, settings, own)
    validation = open_source(places.validation, settings, training.classes)
    return Parts(training, replace(validation, notes=(*validation.notes, *places.notes)))


def _list_parts(root: Path, kind: str) -> dict[str, str]:
    """Return what in a folder is named like a part, by the name and as a place."""
    entries = sorted(entry for entry in root.iterdir() if not is_hidden(entry.name))
    if kind == "folder":
        return {entry.name.casefold(): str(entry) for entry in entries if entry.is_dir()}
    suffixes = {"list": LISTS, "table": TABLES, "shards": SHARDS}.get(kind, frozenset())
    files = [entry for entry in entries if entry.suffix.lower() in suffixes and entry.is_file()]
    found: dict[str, str] = {}
    for file in files:
        stem = file.stem.casefold()
        if kind == "list":
            stem = re.sub("[-_]list$", "", stem)
        found.setdefault(stem, str(file))
    if kind != "list":
        for name in (*_TRAINING, *_VALIDATION, *_TEST):
            numbered = [file for file in files if re.match(f"{name}[-_.].", file.stem.casefold())]
            if numbered and name not in found:
                found[name] = _pattern(root, numbered, len(name))
    return found


def _pattern(root: Path, files: list[Path], length: int) -> str:
    """Return the pattern of ``files``, which begin alike for ``length`` letters."""
    name, suffix = files[0].name[:length], files[0].suffix
    marks = {file.name[length] for file in files}
    mark = marks.pop() if len(marks) == 1 else "[-_.]"
    return str(Path(glob.escape(str(root)), f"{name}{mark}*{suffix}"))


def _choose(found: dict[str, str], place: str) -> Places | None:
    """Return the two parts among ``found``, a test part where there is no other."""
    training = next((found[name] for name in _TRAINING if name in found), None)
    if training is None:
        return None
    for name in _VALIDATION:
        if name in found:
            return Places(training, found[name])
    for name in _TEST:
        if name in found:
            note = (
                f"{place} has no validation part, so its {name} part is taken: figures on it are "
                "not independent of the choice of the model."
            )
            return Places(training, found[name], (note,))
    return None


def _hold_folders(places: Places) -> bool:
    return all(
        any(entry.is_dir() for entry in Path(part).iterdir())
        for part in (places.training, places.validation)
    )
