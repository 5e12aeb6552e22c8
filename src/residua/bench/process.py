"""The parent's side of a child process: orders out, answers in, and what happens if it dies."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Self, cast

from residua.base.errors import EngineError

# Compiling a large network takes minutes; a process that is silent for longer hangs.
PATIENCE = 900.0  # seconds
_LAST_WORDS = 300  # characters of what a dead child wrote last


class OrderError(Exception):
    """What a child answered instead of figures. ``refused``: it cannot be done here."""

    def __init__(self, text: str, *, refused: bool) -> None:
        """``text`` is the child's first line about it."""
        super().__init__(text)
        self.refused = refused


class Child:
    """A ``residua.bench.child``. Its threads sleep while they wait; it ends with its parent.

    ``cache`` is an empty folder for compiled models, so that loading is measured as at first use.
    """

    def __init__(self, threads: int, cache: Path, module: str = "residua.bench.child") -> None:
        """Start it; nothing is loaded yet."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed in ``close``
        self._text = b""
        own = {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive"),
            "RESIDUA_CACHE": str(cache),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, env=os.environ | own,
        )  # fmt: skip

        # Popen leaves these open only if it was asked for pipes, which it was.
        self._orders = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)

    def ask(self, do: str, patience: float | None = None, **order: Any) -> dict[str, Any]:
        """Send an order and return the answer.

        Raises OrderError where the child answers with an error, EngineError where it dies or says
        nothing for ``patience`` seconds (None: ``PATIENCE``).
        """
        patience = PATIENCE if patience is None else patience
        try:
            self._orders.write(json.dumps({"do": do} | order).encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError as error:
            raise self._died() from error
        answer: dict[str, Any] = json.loads(self._read_line(do, patience))
        if "error" in answer:
            raise OrderError(answer["error"], refused=answer["refused"])
        return answer

    def _read_line(self, do: str, patience: float) -> bytes:
        pipe = self._answers.fileno()
        end = time.monotonic() + patience
        while b"\n" not in self._text:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                self._process.kill()
                raise EngineError(f"It gave no answer to {do!r} within {patience:g} seconds.")
            part = os.read(pipe, 1 << 16)
            if not part:
                raise self._died()
            self._text += part
        line, _, self._text = self._text.partition(b"\n")
        return line

    def _died(self) -> EngineError:
        code = self._process.wait()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        last = f": {said.splitlines()[-1]}" if said else ""
        return EngineError(f"Its process ended {how}{last}")

    def close(self) -> None:
        """End the process and wait for it."""
        for pipe in (self._orders, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
