"""The record of a run: one JSON object a line, each written at once and whole.

{"event": "start", "recipe": {…}, …}
{"event": "step", "epoch": 0.25, "loss": 1.9, "lr": 0.1, "images_per_second": 210.0, …}
{"event": "epoch", "epoch": 1, "loss": 1.2, "top1": 0.71, …}
{"event": "end", …}
"""

import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class RunRecord:
    """Writes the lines; with no path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        """The lines go to ``PATH.part``, which becomes ``path`` when the run ends well."""
        self.path = path
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part = path.with_name(f"{path.name}.part")
            self._file = self._part.open("w", encoding="utf-8", buffering=1)

    def write(self, event: str, **fields: Any) -> None:
        """Write one line. Numbers that JSON lacks (NaN, infinity) become null."""
        if self._file is not None:
            line = {"event": event} | {key: _plain(value) for key, value in fields.items()}
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None and self.path is not None:
            self._file.close()
            if kind is None:
                self._part.replace(self.path)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
