"""A split as files: a table of paths and labels for each part, which ``open_source`` reads back.

    OUTPUT/                            OUTPUT/
    ├── train.csv  val.csv             ├── fold-0/ train.csv val.csv classes.json
    ├── classes.json                   ├── fold-1/ …
    └── split.json                     └── split.json

Paths are relative to the table. ``classes.json`` keeps the order of the classes, and those without
a picture; ``split.json`` says what was done, and is written last.
"""

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, SettingError
from residua.base.files import write_atomic
from residua.base.version import __version__
from residua.data.source import Source


def write_split(
    output: Path, whole: Source, parts: Mapping[str, Source], how: Mapping[str, Any], *,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write ``parts`` (by their place in ``output``, such as "train" or "fold-0/val").

    Returns what ``split.json`` says: ``how`` it was done, the classes, and the pictures of each
    class in each part. Raises SettingError where a split is there already, unless ``overwrite``,
    and DataError where pictures are no files of their own.
    """
    record_file = output / "split.json"
    tables = {name: output / f"{name}.csv" for name in parts}
    standing = [path for path in (record_file, *tables.values()) if path.exists()]
    if standing and not overwrite:
        raise SettingError(
            f"{standing[0]} is there already.",
            next_step="Choose another folder with --output, or add --overwrite.",
        )
    if whole.file(0) is None:
        raise DataError(
            f"The pictures of {whole.title} are no files of their own, so a table cannot name "
            "them.",
            next_step="Training splits them by itself: data.val_fraction and data.split_seed.",
        )
    record_file.unlink(missing_ok=True)  # a split half written has none
    for name, part in parts.items():
        write_atomic(tables[name], _spell_table(part, tables[name].parent).encode())
    names = list(whole.classes.names)
    for folder in sorted({path.parent for path in tables.values()}):
        write_atomic(folder / "classes.json", _spell_json(names))
    record = {
        "made_by": f"residua {__version__}",
        "data": whole.title,
        "listing_sha256": whole.listing_sha256(),
        **how,
        "multi_label": whole.multi_label,
        "pictures": len(whole),
        "classes": names,
        "parts": {name: _count(part, f"{name}.csv") for name, part in parts.items()},
    }
    write_atomic(record_file, _spell_json(record))
    return record


def _spell_table(part: Source, folder: Path) -> str:
    names = part.classes.names
    # Two classes of one name (ImageNet has two cranes) can only be told apart by number.
    keys = names if len(set(names)) == len(names) else tuple(map(str, range(len(names))))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label"))
    for position in range(len(part)):
        file = part.file(position)
        if file is None:
            raise DataError(f"{part.names[position]} is no file of its own.")
        writer.writerow((os.path.relpath(file, folder), _spell_label(part, position, keys)))
    return text.getvalue()


def _spell_label(part: Source, position: int, keys: tuple[str, ...]) -> str:
    if not part.multi_label:
        return keys[int(part.labels[position])]
    applying = [key for key, applies in zip(keys, part.labels[position], strict=True) if applies]
    if any(mark in key for key in keys for mark in "|;,["):
        return json.dumps(applying, ensure_ascii=False)
    return "|".join(applying)


def _count(part: Source, file: str) -> dict[str, Any]:
    return {"file": file, "pictures": len(part), "per_class": part.count_classes().tolist()}


def _spell_json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
