"""Hugging Face data sets: ``hf://owner/name``, or a folder that ``save_to_disk`` wrote.

``hf://owner/name:train`` is one split of several; in a saved folder a split is a folder. Pictures
are read as the bytes that the data set holds, not decoded. Needs the library datasets.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, MissingExtraError, UnknownNameError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.arrow import name_rows, read_cells, read_texts
from residua.data.sources.class_lists import find_classes
from residua.data.sources.labels import Known, label
from residua.data.sources.place import title_of
from residua.data.sources.table_columns import (
    IMAGES,
    LABELS,
    choose_image,
    choose_label,
    refuse_column,
)
from residua.zoo.weights.cache import is_offline

_SCHEME = "hf:"
_OFFLINE = "HF_HUB_OFFLINE"


def is_hub(place: str) -> bool:
    """Tell whether ``place`` is a data set of the hub, or a folder of ``save_to_disk``."""
    path = Path(place)
    return place.startswith(_SCHEME) or any(
        (path / name).is_file() for name in ("dataset_dict.json", "state.json")
    )


def list_splits(place: str) -> dict[str, str]:
    """Return the splits of a data set and the place of each; empty for one split alone."""
    library = _import()
    if not place.startswith(_SCHEME):
        loaded = _load(library, place)
        if not isinstance(loaded, library.DatasetDict):
            return {}
        return {name: str(Path(place) / name) for name in loaded}
    name, split = _parse(place)
    if split:
        return {}
    with _explaining(place):
        names = library.get_dataset_split_names(name)
    return {split: f"{_SCHEME}//{name}:{split}" for split in names}


def read_hub(
    place: str, settings: DataPart, classes: Classes | None = None, *, group_column: str = ""
) -> Source:
    """Return the pictures of one split; with ``classes`` labels are positions in it.

    The columns are those of type Image and ClassLabel, else those of usual names, unless given.
    Raises DataError where the data set has several splits or cannot be had.
    """
    library = _import()
    rows = _load(library, place)
    if isinstance(rows, library.DatasetDict):
        splits = list(rows)
        if len(splits) > 1:
            raise DataError(
                f"{place} has {len(splits)} splits: {', '.join(splits)}.",
                next_step=f"Give one of them, as in {_spell_split(place, splits[0])}.",
            )
        rows = rows[splits[0]]
    features = dict(rows.features)
    image = _of_type(features, library.Image, settings.image_column, IMAGES)
    image = choose_image(list(features), image, place)
    target = _of_type(features, library.ClassLabel, settings.label_column, LABELS)
    target = choose_label(list(features), target, place)
    if group_column and group_column not in features:
        raise UnknownNameError("column", group_column, features)
    if isinstance(features[image], library.Image):
        rows = rows.cast_column(image, library.Image(decode=False))
    own, notes = find_classes(settings.label_map, Path(place))
    if own is None:
        own = _named_by(features[target])
    cells = read_cells(_column(rows, target), target, place)
    labels = label(cells, Known(own, classes), place=place, multi_label=settings.multi_label)
    title = place if place.startswith(_SCHEME) else title_of(Path(place))
    return Source(
        title=title,
        classes=labels.classes,
        names=name_rows(_paths(rows, image), [(title.rpartition("/")[2], len(rows))]),
        labels=labels.array,
        read=_RowReader(rows.select_columns([image]), image, place),
        notes=(*notes, *labels.notes),
        groups=read_texts(_column(rows, group_column)) if group_column else (),
    )


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Reads the bytes of a row's picture; the table is mapped from disk."""

    rows: Any
    column: str
    place: str

    def __call__(self, index: int) -> bytes:
        value = self.rows[index][self.column]
        if isinstance(value, dict):
            value = value["bytes"] if value.get("bytes") is not None else value.get("path")
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return Path(value).read_bytes()
        raise refuse_column(self.place, self.column, "bytes or paths of pictures")


def _parse(place: str) -> tuple[str, str]:
    """Return name and split of ``hf://owner/name:split``."""
    name, _, split = place.removeprefix(_SCHEME).lstrip("/").partition(":")
    if not name:
        raise DataError(f"{place} names no data set.", next_step="Write hf://owner/name.")
    return name, split


def _spell_split(place: str, split: str) -> str:
    return f"{place}:{split}" if place.startswith(_SCHEME) else str(Path(place) / split)


def _load(library: Any, place: str) -> Any:
    with _explaining(place):
        if not place.startswith(_SCHEME):
            return library.load_from_disk(place)
        name, split = _parse(place)
        return library.load_dataset(name, split=split or None)


@contextmanager
def _explaining(place: str) -> Iterator[None]:
    """Turn what the library raises for a data set that cannot be had into an error of ours."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{place} cannot be opened by the library datasets: {error}",
            next_step="Without a connection: give a folder that save_to_disk wrote.",
        ) from error


def _of_type(features: dict[str, Any], kind: Any, given: str, usual: tuple[str, ...]) -> str:
    """Return ``given``, or the column of ``kind``: of several, one of a usual name first."""
    if given:
        return given
    found = [name for name, feature in features.items() if _holds(feature, kind)]
    named = [name for name in usual if name in found]
    return (named or found or [""])[0]


def _holds(feature: Any, kind: Any) -> bool:
    return isinstance(feature, kind) or isinstance(getattr(feature, "feature", None), kind)


def _named_by(feature: Any) -> Classes | None:
    """Return the names of a ClassLabel, or of a list of them."""
    inner = getattr(feature, "feature", None)
    names = getattr(feature, "names", None) or getattr(inner, "names", None)
    return Classes(names=tuple(names)) if names else None


def _column(rows: Any, name: str) -> Any:
    return rows.select_columns([name]).with_format("arrow")[:].column(name)


def _paths(rows: Any, image: str) -> Any:
    """Return the column of the pictures' paths, where it is stored apart from their bytes."""
    import pyarrow as pa

    kind = rows.features.arrow_schema.field(image).type
    if not pa.types.is_struct(kind):
        return None
    flat = rows.select_columns([image]).with_format("arrow")[:].flatten()
    return flat.column(f"{image}.path") if f"{image}.path" in flat.column_names else None


def _import() -> Any:
    """Return the library; where connections are forbidden it is told so, which it reads once."""
    before = os.environ.get(_OFFLINE)
    if is_offline():
        os.environ[_OFFLINE] = "1"  # it asks again and again otherwise
    try:
        return import_module("datasets")
    except ImportError as error:
        raise MissingExtraError("datasets", "hub") from error
    finally:
        if before is None:
            os.environ.pop(_OFFLINE, None)
