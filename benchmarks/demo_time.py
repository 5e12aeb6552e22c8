"""`residua demo` over several seeds: wall and CPU seconds of the process, and the accuracy.

python benchmarks/demo_time.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recording import summarise, write_result
from residua.bundle.store import read_bundle

SEEDS = range(5)


def main() -> None:
    """Run the demo with five seeds and write results/demo_time.json."""
    wall, cpu, accuracy = [], [], []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-m", "residua", "demo", "--output", folder, "--seed", str(seed)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            wall.append(time.monotonic() - started)
            cpu.append(usage.ru_utime + usage.ru_stime)
            top1 = read_bundle(Path(folder) / "digits.bundle").manifest.metrics[0].top1
            assert top1 is not None
            accuracy.append(top1)
    write_result(
        "demo_time",
        "residua demo: seconds from start to end, and the part of 359 unseen digits named right",
        "python benchmarks/demo_time.py",
        {
            "seeds": list(SEEDS),
            "wall_seconds": summarise(wall),
            "cpu_seconds": summarise(cpu),
            "top1": summarise(accuracy),
        },
    )


if __name__ == "__main__":
    main()
