"""Parquet files with pictures as bytes, as paths, or as Hugging Face's {bytes, path}.

Bytes are kept as the file keeps them. A file is unpacked by row groups, each when it is first
needed, and kept in memory up to half of what is free; a data set beyond that is read in order
without loss, but at random slowly, and says so.

Names for numbers come from the schema's metadata: ``class_names`` (a JSON list), or what Hugging
Face's libraries write there.
"""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, MissingExtraError, NotAnImageError, UnknownNameError
from residua.base.machine import available_memory
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Files, Source
from residua.data.sources.arrow import is_binary, is_text, name_rows, read_cells, read_texts
from residua.data.sources.class_lists import find_classes, parse_classes
from residua.data.sources.labels import Known, label
from residua.data.sources.listfile import check_files
from residua.data.sources.place import title_of
from residua.data.sources.table_columns import choose_image, choose_label, refuse_column


def read_parquet(
    files: list[Path], settings: DataPart, classes: Classes | None, *, place: str, group_column: str
) -> Source:
    """Return the pictures of Parquet files of one schema; see ``table.read_table``."""
    shape = _inspect(files, place)
    image = choose_image(shape.columns, settings.image_column, place)
    label_name = choose_label(shape.columns, settings.label_column, place)
    if group_column and group_column not in shape.columns:
        raise UnknownNameError("column", group_column, shape.columns)
    root = Path(settings.root) if settings.root else files[0].parent
    own, notes = find_classes(settings.label_map, files[0].parent)
    if own is None:
        own = _named_by(shape.schema, label_name)
    cells = read_cells(_read_column(files, label_name), label_name, place)
    labels = label(cells, Known(own, classes), place=place, multi_label=settings.multi_label)
    notes += labels.notes
    names, read, more = _open_pictures(files, shape, image, root, place)
    return Source(
        title=title_of(Path(place)),
        classes=labels.classes,
        names=names,
        labels=labels.array,
        read=read,
        notes=(*notes, *more),
        groups=read_texts(_read_column(files, group_column)) if group_column else (),
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """Schema and rows of the files: ``groups`` lists (file, row group) and ``starts`` its row."""

    schema: Any
    columns: list[str]
    titles: list[tuple[str, int]]
    groups: list[tuple[Path, int]]
    starts: NDArray[np.int64]
    rows: int


class RowGroups:
    """Reads bytes by row; row groups are unpacked once and kept within a budget of memory."""

    def __init__(self, shape: _Shape, leaf: str, names: tuple[str, ...], files: Files) -> None:
        """``leaf`` is the dotted column of bytes; a null in it is read from ``files``."""
        self._shape, self._leaf, self._names, self._files = shape, leaf, names, files
        self._budget = available_memory() // 2
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._used = 0
        self._lock = threading.Lock()

    def __call__(self, index: int) -> bytes:
        """Return the bytes of picture ``index``."""
        group = int(np.searchsorted(self._shape.starts, index, side="right")) - 1
        value = self._load(group)[index - int(self._shape.starts[group])].as_py()
        if value is not None:
            return bytes(value)
        if self._files.names:
            return self._files(index)
        raise NotAnImageError(f"{self._names[index]} is empty: it holds no bytes.")

    def _load(self, group: int) -> Any:
        with self._lock:
            if group in self._kept:
                self._kept.move_to_end(group)
                return self._kept[group]
            path, number = self._shape.groups[group]
            column = _read_group(path, number, self._leaf)
            self._kept[group] = column
            self._used += column.nbytes
            while self._used > self._budget and len(self._kept) > 1:
                self._used -= self._kept.popitem(last=False)[1].nbytes
            return column


def _inspect(files: list[Path], place: str) -> _Shape:
    parquet = _import()
    schema: Any = None
    groups: list[tuple[Path, int]] = []
    sizes: list[int] = []
    titles: list[tuple[str, int]] = []
    for file in files:
        try:
            with parquet.ParquetFile(file) as opened:
                if schema is not None and not opened.schema_arrow.equals(schema):
                    raise DataError(
                        f"The Parquet files of {place} have different columns: "
                        f"{files[0].name} and {file.name}."
                    )
                schema = schema or opened.schema_arrow
                metadata = opened.metadata
                counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read as Parquet: {error}.") from error
        groups += [(file, number) for number in range(len(counts))]
        sizes += counts
        titles.append((file.name, sum(counts)))
    if not sum(sizes):
        raise DataError(f"{place} has no rows.")
    starts = np.cumsum([0, *sizes], dtype=np.int64)
    return _Shape(schema, list(schema.names), titles, groups, starts[:-1], int(starts[-1]))


def _open_pictures(
    files: list[Path], shape: _Shape, image: str, root: Path, place: str
) -> tuple[tuple[str, ...], Any, list[str]]:
    """Return names, reader and notes for the column of pictures."""
    kind = shape.schema.field(image).type
    if is_text(kind):
        names = read_texts(_read_column(files, image))
        return names, Files(root, names), check_files(root, names, Path(place))
    inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
    leaf = image if is_binary(kind) else f"{image}.bytes"
    if not (is_binary(kind) or ("bytes" in inner and is_binary(inner["bytes"]))):
        raise refuse_column(place, image, f"bytes or paths of pictures (it is of type {kind})")
    paths = _read_column(files, f"{image}.path") if "path" in inner else None
    names = name_rows(paths, shape.titles)
    fallback = Files(root, read_texts(paths) if paths is not None else ())
    notes = []
    size = _count_bytes(files, leaf)
    if size > available_memory() // 2:
        notes.append(
            f"The pictures of {place} take {size / 1e9:.0f} GB unpacked, more than half of the "
            "free memory: reading at random will be slow. Pack them: residua data pack."
        )
    return names, RowGroups(shape, leaf, names, fallback), notes


def _named_by(schema: Any, column: str) -> Classes | None:
    """Return the classes that the schema's metadata name."""
    metadata = schema.metadata or {}
    if own := parse_classes(metadata.get(b"class_names")):
        return own
    try:
        feature = json.loads(metadata[b"huggingface"])["info"]["features"][column]
        names = feature.get("names") or feature["feature"]["names"]
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return parse_classes(json.dumps(names).encode())


def _count_bytes(files: list[Path], leaf: str) -> int:
    """Return the unpacked size of a column in bytes, as the files' footers tell it."""
    total = 0
    for file in files:
        with _import().ParquetFile(file) as opened:
            for group in range(opened.metadata.num_row_groups):
                row_group = opened.metadata.row_group(group)
                columns = (row_group.column(i) for i in range(row_group.num_columns))
                total += sum(c.total_uncompressed_size for c in columns if c.path_in_schema == leaf)
    return total


def _read_column(files: list[Path], leaf: str) -> Any:
    import pyarrow as pa

    chunks: list[Any] = []
    for file in files:
        with _import().ParquetFile(file) as opened:
            chunks += _descend(opened.read(columns=[leaf]), leaf).chunks
    return pa.chunked_array(chunks)


def _read_group(path: Path, group: int, leaf: str) -> Any:
    with _import().ParquetFile(path) as opened:
        return _descend(opened.read_row_group(group, columns=[leaf]), leaf)


def _descend(table: Any, leaf: str) -> Any:
    """Return the column ``leaf`` ("image" or "image.bytes") of a table that was read for it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(0)
    if "." in leaf and pa.types.is_struct(column.type):
        return pc.struct_field(column, leaf.rpartition(".")[2])
    return column


def _import() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "data") from error
    return parquet
