"""A process of its own for one configuration: an order a line comes in, an answer a line goes out.

``python -m residua.bench.child`` reads orders as JSON from standard input: {"do": "open", …}; each
is a method of ``work.Work`` with its arguments. What it returns is the answer; an error is
{"error": …, "refused": …}, where refused tells that it cannot be done here. After "end", or when
the parent is gone, the process ends.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from residua.base.errors import MissingExtraError, ResiduaError, SettingError


def main() -> None:
    """Obey until "end"."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children itself
    answers = _claim_output()
    from residua.bench.work import Work

    work = Work()
    waited = idle = 0.0
    mark, used = time.perf_counter(), time.process_time()
    for line in sys.stdin:
        waited += time.perf_counter() - mark
        idle += time.process_time() - used
        order: dict[str, Any] = json.loads(line)
        what = order.pop("do")
        if what == "end":
            waiting = idle / waited if waited else 0.0
            _say(answers, {"peak_memory": find_peak_memory(), "waiting": waiting})
            return
        _say(answers, _obey(work, what, order))
        mark, used = time.perf_counter(), time.process_time()


def _obey(work: Any, what: str, order: dict[str, Any]) -> dict[str, Any]:
    """Return what the method ``what`` gives, or the error that it raises."""
    try:
        answer: dict[str, Any] = getattr(work, what)(**order)
    except Exception as error:  # noqa: BLE001  # any: it becomes a record of the benchmark
        text = error.problem if isinstance(error, ResiduaError) else _spell(error)
        refused = isinstance(error, SettingError | MissingExtraError)
        return {"error": text, "refused": refused}
    return answer


def _spell(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'without a word'}"


def _claim_output() -> TextIO:
    """Return the standard output for answers alone; what libraries print goes to the errors."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def find_peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes, or None where nobody says.

    Linux: VmHWM. Not getrusage's ru_maxrss, which starts at what the parent had when it forked.
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return _resource_peak()
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return _resource_peak()


def _resource_peak() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    main()
