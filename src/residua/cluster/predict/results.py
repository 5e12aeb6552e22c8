"""What lies in the folder of a job, counted: every row once, and which could not be used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.cluster.storage import Place
from residua.predict.results import Prediction


@dataclass(frozen=True, slots=True)
class Summary:
    """Rows of the results, those that are there ``twice``, and pictures that cannot be used."""

    rows: int
    twice: int
    bad: int
    reasons: dict[str, int]


def summarise(output: Place, total: int, form: str) -> Summary:
    """Count the results of a job of ``total`` rows, a file at a time."""
    seen = np.zeros(total, dtype=bool)
    twice = 0
    reasons: dict[str, int] = {}
    for table in _read(output, form, ["row", "reason"]):
        rows = table.column("row").to_numpy()
        twice += int(seen[rows].sum()) + len(rows) - len(np.unique(rows))
        seen[rows] = True
        for entry in table.column("reason").drop_null().value_counts().to_pylist():
            reasons[entry["values"]] = reasons.get(entry["values"], 0) + entry["counts"]
    return Summary(int(seen.sum()), twice, sum(reasons.values()), dict(sorted(reasons.items())))


def read_results(output: Place, form: str = "parquet") -> list[Prediction]:
    """Return the predictions of a job in the order of the pictures; all of them, in memory."""
    columns = ["row", "filename", "class_ids", "scores", "label_names", "error", "reason"]
    rows = [row for table in _read(output, form, columns) for row in table.to_pylist()]
    rows.sort(key=lambda row: row["row"])
    return [
        Prediction(
            row["filename"], row["class_ids"] or [], row["scores"] or [], row["label_names"] or [],
            row["error"], row["reason"],
        )
        for row in rows
    ]  # fmt: skip


def _read(output: Place, form: str, columns: list[str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import json, parquet

    kinds = {
        "row": pa.int64(), "filename": pa.string(), "class_ids": pa.list_(pa.int32()),
        "scores": pa.list_(pa.float32()), "label_names": pa.list_(pa.string()),
        "error": pa.string(), "reason": pa.string(),
    }  # fmt: skip
    options = json.ParseOptions(explicit_schema=pa.schema(list(kinds.items())))
    for file in output.files():
        if "/_residua/" in file.path or not file.path.endswith(f".{form}"):
            continue
        with file.system.open_input_file(file.path) as handle:
            if form == "parquet":
                yield parquet.ParquetFile(handle).read(columns=columns)
            else:
                yield json.read_json(handle, parse_options=options).select(columns)
