"""The record of a run: one JSON object a line, each written at once and whole.

{"event": "start", "recipe": {…}, …}
{"event": "step", "epoch": 0.25, "loss": 1.9, "lr": 0.1, "images_per_second": 210.0, …}
{"event": "epoch", "epoch": 1, "train_loss": 1.2, "val_top1": 0.71, …}
{"event": "end", …}

Each line also has the ``seconds`` since this process began the run, or went on with it.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from residua.train.storage.trackers import Tracker


class RunRecord:
    """Writes the lines, and passes numbers on to trackers; with no path it writes nothing."""

    def __init__(
        self, path: Path | None, *, go_on_at: int = 0, trackers: Sequence[Tracker] = ()
    ) -> None:
        """Lines of an interrupted run beyond ``go_on_at`` bytes are dropped: they come again."""
        self._trackers = trackers
        self._started = time.monotonic()
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._file.truncate(min(go_on_at, path.stat().st_size))
            self._file.seek(0, os.SEEK_END)

    @property
    def bytes_written(self) -> int:
        """The length of the file so far: what ``go_on_at`` wants."""
        return self._file.tell() if self._file is not None else 0

    def write(self, event: str, **fields: Any) -> None:
        """Write one line. Numbers that JSON lacks (NaN, infinity) become null."""
        plain = {key: _plain(value) for key, value in fields.items()}
        if self._file is not None:
            seconds = round(time.monotonic() - self._started, 3)
            content = {"event": event} | plain | {"seconds": seconds}
            line = json.dumps(content, ensure_ascii=False, allow_nan=False)
            self._file.write(f"{line}\n".encode())
        if event in {"step", "epoch"}:
            numbers = {k: v for k, v in plain.items() if isinstance(v, int | float)}
            for tracker in self._trackers:
                tracker.log(event, numbers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        for tracker in self._trackers:
            tracker.close()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
