"""From a place to a source: which kind of data set it is, and the reader of that kind.

a folder with class folders          folder     DATA/daisy/1.jpg
.txt, .lst                           list       daisy/1.jpg 0
.csv, .tsv, .parquet, .jsonl         table      one, or a pattern, or a folder of them
.tar                                 shards     one, train-{000..012}.tar, or a folder of them
hf://owner/name, save_to_disk        hub        Hugging Face data sets
"""

from pathlib import Path
from typing import Literal

from residua.base.errors import DataError, SettingError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.folder import SUFFIXES, read_folder
from residua.data.sources.hub import is_hub, read_hub
from residua.data.sources.listfile import read_list
from residua.data.sources.place import is_hidden, is_pattern
from residua.data.sources.shards import SHARDS, read_shards
from residua.data.sources.table import TABLES, read_table

Kind = Literal["folder", "list", "table", "shards", "hub"]

LISTS = frozenset({".txt", ".lst", ".list"})
_PACKED = (".zip", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".7z", ".rar")


def open_source(
    place: str | Path,
    settings: DataPart | None = None,
    classes: Classes | None = None,
    *,
    group_column: str = "",
) -> Source:
    """Return the labelled pictures at ``place``, of whatever kind it is.

    With ``classes`` labels are positions in that list, matched by name (or id): an unknown name is
    an error, a class without pictures a note. ``settings.format`` overrides what ``kind_of``
    finds. ``group_column`` names a column of a table for ``Source.groups``.

    Raises DataError where there is nothing to read, MissingExtraError where a library is missing.
    """
    settings, place = settings or DataPart(), str(place)
    kind = kind_of(place, settings)
    if group_column and kind not in {"table", "hub"}:
        raise SettingError(
            f"Pictures are to be grouped by the column {group_column!r}, but {place} is no table.",
            next_step="Group by a pattern of the pictures' names instead.",
        )
    match kind:
        case "folder":
            if settings.multi_label:
                raise SettingError(
                    f"{place} has class folders, where each picture has one class, but "
                    "data.multi_label is true.",
                    next_step="Give a table or list file, or set data.multi_label=false.",
                )
            return read_folder(Path(place), classes)
        case "list":
            return read_list(Path(place), settings, classes)
        case "table":
            return read_table(place, settings, classes, group_column=group_column)
        case "shards":
            return read_shards(place, settings, classes)
        case "hub":
            return read_hub(place, settings, classes, group_column=group_column)


def kind_of(place: str | Path, settings: DataPart | None = None) -> Kind:
    """Return what kind of data set ``place`` is, by ``settings.format``, its content or suffix.

    A folder is of shards or tables where these lie in it and no folders do; else it is one of
    class folders, as is whatever does not exist. Raises DataError for an archive or a picture.
    """
    if settings and settings.format != "auto":
        return settings.format
    place = str(place)
    if is_hub(place):
        return "hub"
    path = Path(place)
    if path.is_dir():
        return _kind_of_folder(path)
    kind = _kind_of_suffix(path)
    if kind is None and path.exists():
        raise _strange(path)
    if kind is None and is_pattern(place):
        raise DataError(
            f"{place} stands for files of an unknown kind.",
            next_step="Patterns are for tables and shards: name their suffix, as in train-*.tar.",
        )
    return kind or "folder"


def _kind_of_suffix(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in LISTS:
        return "list"
    if suffix in TABLES:
        return "table"
    return "shards" if suffix in SHARDS else None


def _kind_of_folder(path: Path) -> Kind:
    entries = [entry for entry in path.iterdir() if not is_hidden(entry.name)]
    if not any(entry.is_dir() for entry in entries):
        suffixes = {entry.suffix.lower() for entry in entries}
        if suffixes & SHARDS:
            return "shards"
        if suffixes & TABLES:
            return "table"
    return "folder"


def _strange(path: Path) -> DataError:
    name = path.name.lower()
    if name.endswith(_PACKED):
        return DataError(
            f"{path} is a packed archive.",
            next_step="Unpack it and give the folder. Shards are uncompressed .tar files.",
        )
    if path.suffix.lower() in SUFFIXES:
        return DataError(
            f"{path} is one picture; a data set was expected.",
            next_step="Give the folder that holds the class folders, or a list file or table.",
        )
    return DataError(
        f"{path} is a file of an unknown kind; a folder with one folder of pictures a class, a "
        "list file (.txt), a table (.csv, .tsv, .parquet, .jsonl) or shards (.tar) were expected.",
        next_step="Set data.format if it is one of these under another name.",
    )
