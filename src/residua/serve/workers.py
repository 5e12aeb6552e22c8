"""Several server processes on one port: the kernel spreads connections, the parent keeps them up.

Each process listens for itself (SO_REUSEPORT) and has its share of the cores. A worker that dies is
started again; one that dies before it was ready ends all, since the next would as well.
"""

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
from types import FrameType

from prometheus_client import multiprocess

_LOG = logging.getLogger("residua.serve")
_SETTLED = 30.0  # seconds: one that ended sooner than this did not end by accident
WORKER = "RESIDUA_SERVE_WORKER"


def run_workers(arguments: Sequence[str], count: int) -> int:
    """Run ``residua serve`` with ``arguments`` in ``count`` processes; return the exit code."""
    figures = Path(tempfile.mkdtemp(prefix="residua-metrics-"))
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(figures), WORKER: "1"}
    command = [sys.executable, "-m", "residua", "serve", *arguments]

    def start() -> tuple[subprocess.Popen[bytes], float]:
        return subprocess.Popen(command, env=environment), time.monotonic()

    workers = [start() for _ in range(count)]
    stopping = 0

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stopping
        stopping += 1
        for process, _begun in workers:
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    failed = 0
    try:
        while any(process.poll() is None for process, _ in workers):
            for place, (process, begun) in enumerate(workers):
                code = process.poll()
                if code is None or stopping:
                    continue
                multiprocess.mark_process_dead(process.pid, str(figures))  # type: ignore[no-untyped-call]
                if code and time.monotonic() - begun < _SETTLED:
                    failed = code
                    stop(signal.SIGTERM, None)
                    break
                _LOG.error("worker %d ended with %d; another is started", process.pid, code)
                workers[place] = start()
            time.sleep(0.2)
    finally:
        shutil.rmtree(figures, ignore_errors=True)
    return failed or max(process.returncode for process, _ in workers)
