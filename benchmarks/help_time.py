"""CPU seconds of `residua --help`, against an empty Python.

python benchmarks/help_time.py
"""

import os
import subprocess
import sys
from pathlib import Path

from recording import measure_pairs, write_result


def cpu_seconds(*command: str) -> float:
    """Return user and system seconds of one run, by the operating system's account."""
    with Path(os.devnull).open("w") as nothing:
        process = subprocess.Popen(command, stdout=nothing)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure fifteen pairs and write results/help_time.json."""
    residua = str(Path(sys.executable).with_name("residua"))
    figures = measure_pairs(
        lambda: cpu_seconds(residua, "--help"),
        lambda: cpu_seconds(sys.executable, "-c", "pass"),
        pairs=15,
    )
    write_result(
        "help_time",
        "residua --help (a) takes less than 0.3 s of CPU; an empty Python (b) beside it",
        "python benchmarks/help_time.py",
        {"unit": "CPU seconds", **figures},
    )


if __name__ == "__main__":
    main()
