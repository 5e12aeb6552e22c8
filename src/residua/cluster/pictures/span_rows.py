"""The rows of a span: numbers, names and places of pictures, or their bytes."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from residua.cluster.pictures.listing import Span
from residua.cluster.storage import locate

ROW = "row"
_BLOCK_ROWS = 256  # pictures of data that are handed on at once


def read_span(span: Span) -> Iterator[Any]:
    """Yield tables with row, filename, url, start, size, error, reason and data (bytes or null)."""
    place = locate(span.url)
    with place.system.open_input_file(place.path) as handle, parquet.ParquetFile(handle) as opened:
        numbers = pa.array(range(span.first, span.first + span.rows), pa.int64())
        if not span.image:
            table = opened.read_row_group(span.group)
            table = table.append_column("data", pa.nulls(len(table), pa.binary()))
            yield table.add_column(0, ROW, numbers)
            return
        columns = [span.image, *([span.name] if span.name else [])]
        at = 0
        for batch in opened.iter_batches(_BLOCK_ROWS, row_groups=[span.group], columns=columns):
            own = numbers[at : at + len(batch)]
            yield _as_rows(pa.Table.from_batches([batch]), span, own, span.within + at)
            at += len(batch)


def _as_rows(found: Any, span: Span, numbers: Any, within: int) -> Any:
    top, _, inner = span.image.partition(".")
    data = found.column(top).combine_chunks()
    if inner:
        data = data.field(inner) if hasattr(data, "field") else data.chunk(0).field(inner)
    if span.name:
        names = found.column(span.name).cast(pa.string())
    else:
        title = locate(span.url).name
        names = pa.array([f"{title}:{within + n}" for n in range(len(found))], pa.string())
    count = len(found)
    return pa.table(
        {
            ROW: numbers, "filename": names, "url": pa.nulls(count, pa.string()),
            "start": pa.nulls(count, pa.int64()), "size": pa.nulls(count, pa.int64()),
            "error": pa.nulls(count, pa.string()), "reason": pa.nulls(count, pa.string()),
            "data": data.cast(pa.binary()),
        }
    )  # fmt: skip
