"""Tables with a picture a row: CSV, TSV and JSON lines here, Parquet in ``parquet.py``.

    path,label                 {"image": "daisy/1.jpg", "label": "daisy"}
    daisy/1.jpg,daisy          {"image": "b/2.jpg", "label": ["red", "round"]}

The columns of pictures and labels are found by their usual names, or given. Paths are relative to
``data.root`` or, without it, to the table's folder. Several files (a pattern, or a folder of them)
are read as one table, in the order of their names.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, UnknownNameError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Files, Source
from residua.data.sources.class_lists import find_classes
from residua.data.sources.labels import Known, Value, collect, label
from residua.data.sources.listfile import check_files
from residua.data.sources.parquet import read_parquet
from residua.data.sources.place import expand, title_of
from residua.data.sources.table_columns import choose_image, choose_label, refuse_column

PARQUET = frozenset({".parquet", ".pq"})
LINES = frozenset({".jsonl", ".ndjson"})
DELIMITED = frozenset({".csv", ".tsv"})
TABLES = PARQUET | LINES | DELIMITED

Row = tuple[str, Value, str]  # path, label, group


def read_table(
    place: str, settings: DataPart, classes: Classes | None = None, *, group_column: str = ""
) -> Source:
    """Return the pictures of a table; with ``classes`` labels are positions in it.

    ``group_column`` names the column whose values become ``Source.groups``. Raises DataError that
    names the line, and UnknownNameError with the nearest column.
    """
    files = expand(place, TABLES)
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"{place} mixes tables of different kinds: {', '.join(file.name for file in files)}.",
            next_step="Give one of them, or a pattern such as train-*.parquet.",
        )
    if kinds == {"parquet"}:
        return read_parquet(files, settings, classes, place=place, group_column=group_column)
    names: list[str] = []
    groups: list[str] = []
    values: list[Value] = []
    for file in files:
        for path, value, group in _rows(file, settings, group_column):
            names.append(path)
            values.append(value)
            groups.append(group)
    if not names:
        raise DataError(f"{place} has no rows.")
    root = Path(settings.root) if settings.root else files[0].parent
    own, notes = find_classes(settings.label_map, files[0].parent)
    labels = label(
        collect(values), Known(own, classes), place=place, multi_label=settings.multi_label
    )
    return Source(
        title=title_of(Path(place)),
        classes=labels.classes,
        names=tuple(names),
        labels=labels.array,
        read=Files(root, tuple(names)),
        notes=(*notes, *check_files(root, tuple(names), Path(place)), *labels.notes),
        groups=tuple(groups) if group_column else (),
    )


def _kind(file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix in PARQUET:
        return "parquet"
    return "lines" if suffix in LINES else "delimited"


def _rows(file: Path, settings: DataPart, group_column: str) -> Iterator[Row]:
    try:
        if _kind(file) == "lines":
            yield from _read_lines(file, settings, group_column)
        else:
            yield from _read_delimited(file, settings, group_column)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is no text in UTF-8: {error.reason} at byte {error.start}.",
            next_step="Save it as UTF-8.",
        ) from error
    except csv.Error as error:
        raise DataError(f"{file} is no table that can be read: {error}.") from error


def _read_delimited(file: Path, settings: DataPart, group_column: str) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        header_line = stream.readline()
        delimiter = settings.delimiter.replace("\\t", "\t") or _guess(header_line, file)
        header = next(csv.reader([header_line], delimiter=delimiter), [])
        image = header.index(choose_image(header, settings.image_column, str(file)))
        label_at = header.index(choose_label(header, settings.label_column, str(file)))
        group_at = header.index(_choose_group(header, group_column)) if group_column else None
        reader = csv.reader(stream, delimiter=delimiter)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{file}, line {reader.line_num + 1} has {len(row)} cells, but the header has "
                    f"{len(header)} columns.",
                    next_step="Put cells that hold the delimiter in double quotes.",
                )
            group = "" if group_at is None else row[group_at]
            yield row[image], row[label_at].strip(), group


def _guess(header: str, file: Path) -> str:
    if file.suffix.lower() == ".tsv":
        return "\t"
    return max((",", ";", "\t"), key=header.count)


def _read_lines(file: Path, settings: DataPart, group_column: str) -> Iterator[Row]:
    image = label_name = ""
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            place = f"{file}, line {number}"
            record = _parse(line, place)
            if not image:
                image = choose_image(list(record), settings.image_column, str(file))
                label_name = choose_label(list(record), settings.label_column, str(file))
                if group_column:
                    _choose_group(list(record), group_column)
            if image not in record:
                raise DataError(f"{place} has no {image!r}, as the first line has.")
            path = record[image]
            if isinstance(path, Mapping):
                path = path.get("path")
            if not (isinstance(path, str) and path):
                raise refuse_column(place, image, "a path of a picture")
            group = record.get(group_column) if group_column else ""
            yield path, _as_value(record.get(label_name), place), str(group)


def _parse(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place} is no JSON: {error}.") from error
    if not isinstance(record, dict):
        raise DataError(f"{place} is no JSON object with a picture and its label.")
    return record


def _as_value(cell: object, place: str) -> Value:
    """Return a label of JSON as one of ours; null is a missing one."""
    if cell is None:
        return ""
    if isinstance(cell, str | int) and not isinstance(cell, bool):
        return cell
    if isinstance(cell, list) and all(isinstance(atom, str | int) for atom in cell):
        return tuple(atom if isinstance(atom, str) else int(atom) for atom in cell)
    raise DataError(
        f"{place} has the label {cell!r}; a name, a number or a list of these was expected."
    )


def _choose_group(columns: Sequence[str], given: str) -> str:
    if given not in columns:
        raise UnknownNameError("column", given, columns)
    return given
