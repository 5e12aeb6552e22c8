"""Columns of Arrow tables (Parquet, Hugging Face) as labels, groups and pictures."""

from typing import Any

import numpy as np

from residua.base.errors import DataError
from residua.data.sources.labels import Cells, Value, collect
from residua.data.sources.table_columns import refuse_column


def read_cells(column: Any, name: str, place: str) -> Cells:
    """Return a label column (a pyarrow ChunkedArray) as cells: each distinct value is kept once.

    Whole numbers, texts, booleans (as 0 and 1) and lists of these are labels; null is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return collect(_as_value(cell, name, place) for chunk in column.chunks for cell in chunk)
    flat = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or is_text(kind)
    if not flat:
        raise refuse_column(place, name, f"labels (it is of type {kind})")
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([]).dictionary_encode()
    values = tuple(_flat(value) for value in encoded.dictionary.to_pylist())
    return Cells(values, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def read_texts(column: Any) -> tuple[str, ...]:
    """Return a column as texts, as for groups; null is the empty text."""
    return tuple("" if value is None else str(value) for value in column.to_pylist())


def name_rows(paths: Any, titles: list[tuple[str, int]]) -> tuple[str, ...]:
    """Return a name for each row: its path where ``paths`` tells one of each, all different.

    Else the name of the file and the number of the row in it; ``titles`` has (file, rows).
    """
    if paths is not None and not paths.null_count:
        names = tuple(paths.to_pylist())
        if len(set(names)) == len(names) and all(names):
            return names
    return tuple(f"{title}:{row}" for title, rows in titles for row in range(rows))


def is_binary(kind: Any) -> bool:
    """Tell whether an Arrow type holds bytes."""
    import pyarrow as pa

    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_view(kind, "binary")
    )


def is_text(kind: Any) -> bool:
    """Tell whether an Arrow type holds text."""
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind, "string")
    )


def _is_view(kind: Any, what: str) -> bool:
    return str(kind) == f"{what}_view"


def _as_value(cell: Any, name: str, place: str) -> Value:
    atoms = cell.as_py()
    if atoms is None:
        return ""
    if not all(isinstance(atom, str | int) for atom in atoms):
        raise DataError(
            f"{place}: column {name!r} has the label {atoms!r}; a list of names or numbers was "
            "expected."
        )
    return tuple(_flat(atom) for atom in atoms)


def _flat(value: str | int | None) -> str | int:
    if value is None:
        return ""
    return int(value) if isinstance(value, int) else value
