"""Several server processes on one port: the kernel spreads connections, the parent keeps them up.

Each process listens for itself (SO_REUSEPORT) once it is ready, and has its share of the cores. One
that dies, by whatever signal, is started again, after a pause that grows where it does not become
ready; the others answer meanwhile. Where one dies before any was ever ready, all end with its exit
code: what kept it would keep the next.
"""

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import multiprocess

from residua.serve.listening import bind

_LOG = logging.getLogger("residua.serve")
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
_LONGEST_PAUSE = 30.0  # seconds
_LOOK = 0.1  # seconds between two looks at the workers
_STOPPED = (-signal.SIGTERM, -signal.SIGINT)  # told to before it could listen to signals
WORKER = "RESIDUA_SERVE_WORKER"  # in a worker's environment: the file to touch when it is ready


class _Worker:
    """A place among the workers, and the process that has it now."""

    def __init__(self, command: Sequence[str], folder: Path, number: int) -> None:
        self._command = command
        self._folder = folder
        self._mark = folder / f"ready-{number}"
        self._pause = 0.0
        self._again: float | None = None
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._mark.unlink(missing_ok=True)
        figures = {"PROMETHEUS_MULTIPROC_DIR": str(self._folder), WORKER: str(self._mark)}
        return subprocess.Popen(self._command, env=os.environ | figures)

    @property
    def was_ready(self) -> bool:
        """Whether this process, dead by now or not, has ever been ready."""
        return self._mark.exists()

    def keep_up(self) -> None:
        """Start the process again where it is dead, now or after its pause."""
        code, now = self.process.poll(), time.monotonic()
        if code is None:
            return
        if self._again is None:
            multiprocess.mark_process_dead(self.process.pid, str(self._folder))  # type: ignore[no-untyped-call]
            self._pause = 0.0 if self.was_ready else min(_LONGEST_PAUSE, 2 * self._pause + 1)
            self._again = now + self._pause
            _LOG.error(
                "worker %d ended with %d; another is started in %g s",
                self.process.pid, code, self._pause,
            )  # fmt: skip
        if now >= self._again:
            self._again = None
            self.process = self._start()


def run_workers(arguments: Sequence[str], count: int) -> int:
    """Run ``residua serve`` with ``arguments`` in ``count`` processes; return the exit code."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    folder = Path(tempfile.mkdtemp(prefix="residua-metrics-"))
    command = [sys.executable, "-m", "residua", "serve", *arguments]
    workers = [_Worker(command, folder, number) for number in range(count)]
    try:
        failed, told = _keep_all_up(workers, signals), False
        alive = [worker.process for worker in workers if worker.process.poll() is None]
        while any(process.poll() is None for process in alive):
            while signals:
                received = signals.pop(0)
                for process in alive:  # a worker stops once, whoever says so; a second kills
                    process.send_signal(signal.SIGKILL if told else received)
                told = True
            time.sleep(_LOOK)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    codes = [process.returncode for process in alive if process.returncode not in _STOPPED]
    return failed or max(map(_spell_code, codes), default=0)


def _keep_all_up(workers: Sequence[_Worker], signals: list[int]) -> int:
    """Return 0 when a signal comes, or the code of one that died before any was ready."""
    ever_ready = False
    while not signals:
        codes = [code for worker in workers if (code := worker.process.poll()) is not None]
        ever_ready = ever_ready or any(worker.was_ready for worker in workers)
        if codes and not ever_ready:
            signals.append(signal.SIGTERM)
            return _spell_code(codes[0]) or 1
        for worker in workers:
            worker.keep_up()
        time.sleep(_LOOK)
    return 0


def _spell_code(code: int) -> int:
    """Return an exit code as a shell has it: 128 and the signal that killed."""
    return code if code >= 0 else 128 - code


def check_free(host: str, port: int) -> None:
    """Raise SettingError where somebody listens already: workers would share the port with them."""
    bind(host, port).close()


def end_with_parent() -> None:
    """Let this worker be told to stop when its parent is gone, however that ended (Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def tell_ready() -> None:
    """Tell the parent, where there is one, that this worker is ready."""
    if mark := os.environ.get(WORKER):
        Path(mark).touch()
