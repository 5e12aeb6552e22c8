"""The memory of ``residua distil mine`` over more and more pictures.

RESIDUA_TEST_DATA=FOLDER python benchmarks/mine_memory.py [COUNTS]

A list that names the 10,000 test pictures of CIFAR-10 over and over, each in a folder of another
name, a published ResNet20 as the teacher; peak resident memory of the process (VmHWM). One class
may keep 1,000.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from recording import RESULTS, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
COUNTS = (10_000, 40_000, 160_000)
SHOWING = """
import sys
from residua.cli.main import run
try:
    run()
finally:
    with open("/proc/self/status") as lines:
        peak = next(line for line in lines if line.startswith("VmHWM"))
    print("PEAK", int(peak.split()[1]) // 1000, file=sys.stderr)
"""


def write_pictures(folder: Path) -> list[str]:
    """Write the test pictures as files and return their names."""
    table = pq.read_table(DATA / "cifar10-jpeg" / "test.parquet")
    folder.mkdir()
    names = []
    for index, content in enumerate(table["image"].to_pylist()):
        name = f"{index:05}.jpg"
        (folder / name).write_bytes(content["bytes"] if isinstance(content, dict) else content)
        names.append(name)
    return names


def measure(folder: Path, teacher: Path, names: list[str], count: int) -> dict[str, float]:
    """Return the peak of a run over ``count`` pictures, in MB, and pictures a second."""
    listed = folder / f"{count}.txt"
    with listed.open("w") as lines:
        for index in range(count):
            copy, at = divmod(index, len(names))
            lines.write(f"copy{copy}/{names[at]}\n")
    for copy in range(-(-count // len(names))):
        link = folder / f"copy{copy}"
        if not link.exists():
            link.symlink_to(folder / "pictures")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", SHOWING, "distil", "mine", str(listed), "--teacher", str(teacher),
         "--output", str(folder / f"mined{count}.txt"), "--engine", "openvino"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    taken = time.perf_counter() - began
    peak = next(line for line in done.stderr.splitlines() if line.startswith("PEAK"))
    return {"peak_mb": int(peak.split()[1]), "pictures_a_second": round(count / taken)}


def main() -> None:
    """Measure each count and write results/mine_memory.json."""
    counts = tuple(map(int, sys.argv[1:])) or COUNTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_pictures(folder / "pictures")
        teacher = folder / "teacher.bundle"
        subprocess.run(
            [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet20",
             "--output", str(teacher), str(DATA / "weights/cifar10-resnet20.th")],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        found = {}
        for count in counts:
            found[str(count)] = measure(folder, teacher, names, count)
            print(count, found[str(count)], flush=True)
    write_result(
        "mine_memory",
        "residua distil mine: peak memory over more and more pictures (speed: not idle)",
        "python benchmarks/mine_memory.py",
        {"pictures": found},
    )  # fmt: skip


if __name__ == "__main__":
    main()
