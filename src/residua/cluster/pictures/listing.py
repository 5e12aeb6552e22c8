"""Which pictures a job reads, written down once: row by row, so that going on means the same rows.

OUTPUT/_residua/listing/0000.parquet, …    names and places, a row a picture, in order
OUTPUT/_residua/job.json                   what the job is of; its spans

A span is a row group of a Parquet file: of the listing, or of Parquet data that hold the pictures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from residua.base.errors import DataError, ImageError, SettingError
from residua.base.progress import progressing
from residua.cluster.pictures.entries import list_entries
from residua.cluster.pictures.entry import ADDRESSES, Entry
from residua.cluster.pictures.patterns import find_places
from residua.cluster.storage import Place, locate
from residua.cluster.urls import is_url, suffix
from residua.data.sources.arrow import is_binary, is_text
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.place import expand
from residua.data.sources.shards import SHARDS
from residua.data.sources.table_columns import choose_image, refuse_column
from residua.predict.inputs import LIST_SUFFIXES

PARQUET = frozenset({".parquet", ".pq"})
_ROWS = 128  # of a span
_FILE_ROWS = 2048 * _ROWS


@dataclass(frozen=True, slots=True)
class Span:
    """``rows`` rows from number ``first`` on: row group ``group`` of the Parquet file ``url``.

    Of a listing ``image`` is ""; of data it is the column of pictures, and ``name`` the column that
    names them ("": the file, and the row in it, of which the first is ``within``).
    """

    url: str
    group: int
    first: int
    rows: int
    image: str = ""
    name: str = ""
    within: int = 0

    def as_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def make_spans(
    inputs: list[str], folder: Place, *, image: str = "", name: str = "", allow_urls: bool = False
) -> list[Span]:
    """List the pictures of ``inputs`` and return the spans that hold them, in order.

    Parquet data are read where they lie; of all else a listing is written below ``folder``.
    ``image`` and ``name`` are columns of the data. Raises DataError, SettingError.
    """
    tables = [is_table(entry) for entry in inputs]
    if any(tables) and not all(tables):
        raise SettingError(
            "Parquet files and other pictures are given together.",
            next_step="Start two jobs, with an output each.",
        )
    if tables and tables[0]:
        files = [file for entry in inputs for file in _find_tables(entry)]
        spans = list(_span_tables(files, image, name))
    else:
        spans = list(_write_listing(list_entries(inputs, allow_urls=allow_urls), folder))
    if not sum(span.rows for span in spans):
        raise DataError(f"{', '.join(inputs)} holds no pictures.")
    return spans


def is_table(entry: str) -> bool:
    """Tell whether ``entry`` names Parquet files: by its suffix, or a folder that holds them."""
    if suffix(entry) in PARQUET:
        return True
    if suffix(entry) in SUFFIXES | LIST_SUFFIXES | SHARDS or entry.startswith(ADDRESSES):
        return False
    place = locate(entry)
    if place.kind() != "folder":
        return False
    first = next(place.files(), None)
    return first is not None and suffix(first.path) in PARQUET


def _find_tables(entry: str) -> Iterator[Place]:
    if not is_url(entry):
        yield from (locate(file) for file in expand(entry, PARQUET))
        return
    for place in find_places(entry):
        if place.kind() == "folder":
            yield from (file for file in place.files() if suffix(file.path) in PARQUET)
        else:
            yield place


def _span_tables(files: list[Place], image: str, name: str) -> Iterator[Span]:
    from pyarrow import ArrowInvalid, parquet

    first = 0
    for file in progressing(files, "Listing Parquet files", len(files), unit="files"):
        try:
            with (
                file.system.open_input_file(file.path) as handle,
                parquet.ParquetFile(handle) as opened,
            ):
                column = _choose_leaf(opened.schema_arrow, image, file.url)
                if name and name not in opened.schema_arrow.names:
                    raise SettingError(f"{file.url} has no column {name!r}.")
                groups = opened.metadata.num_row_groups
                sizes = [opened.metadata.row_group(n).num_rows for n in range(groups)]
        except (OSError, ArrowInvalid) as error:
            raise DataError(
                f"{file.url} cannot be read as Parquet: {str(error).rstrip('.')}."
            ) from error
        within = 0
        for group, rows in enumerate(sizes):
            yield Span(file.url, group, first, rows, column, name, within)
            first, within = first + rows, within + rows


def _choose_leaf(schema: Any, given: str, url: str) -> str:
    """Return the dotted column of bytes: of the pictures, or within them as Hugging Face has it."""
    column = choose_image(schema.names, given, url)
    kind = schema.field(column).type
    if is_binary(kind):
        return column
    inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
    if "bytes" in inner and is_binary(inner["bytes"]):
        return f"{column}.bytes"
    hint = "bytes of pictures (paths: give a list file)" if is_text(kind) else "bytes of pictures"
    raise refuse_column(url, column, hint)


def _write_listing(entries: Iterable[Entry], folder: Place) -> Iterator[Span]:
    from pyarrow import parquet

    folder.make()
    rest, first, number = iter(progressing(entries, "Listing pictures")), 0, 0
    while part := list(islice(rest, _FILE_ROWS)):
        file = folder / f"{number:04}.parquet"
        with file.system.open_output_stream(file.path) as handle:
            parquet.write_table(_as_table(part), handle, row_group_size=_ROWS)
        for group, start in enumerate(range(0, len(part), _ROWS)):
            rows = min(_ROWS, len(part) - start)
            yield Span(file.url, group, first + start, rows)
        first, number = first + len(part), number + 1


def _as_table(entries: list[Entry]) -> Any:
    import pyarrow as pa

    def spell(error: ImageError | None) -> tuple[str | None, str | None]:
        return (None, None) if error is None else (error.problem, error.reason)

    told = [spell(entry.error) for entry in entries]
    return pa.table(
        {
            "filename": pa.array([entry.name for entry in entries], pa.string()),
            "url": pa.array([entry.url for entry in entries], pa.string()),
            "start": pa.array([entry.start for entry in entries], pa.int64()),
            "size": pa.array([entry.size for entry in entries], pa.int64()),
            "error": pa.array([error for error, _ in told], pa.string()),
            "reason": pa.array([reason for _, reason in told], pa.string()),
        }
    )
