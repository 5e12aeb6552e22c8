"""A million small pictures in Parquet through ``residua predict --cluster``, and by one process.

RESIDUA_TEST_DATA=FOLDER python benchmarks/cluster_rows.py [ROWS]

The pictures are the 10,000 of CIFAR-10's test part over and over, in Parquet files of 50,000 rows;
the network a published ResNet20 for them, OpenVINO with one thread an engine. Measured: pictures a
second of the whole command, start and listing included, and of its steady part; the memory of its
processes together, every two seconds, so that it can be seen not to grow; then 50,000 rows with
one core and with two, and the same pictures by one process of ``Classifier.predict``.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recording import RESULTS, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
ROWS, PART, FILE = 1_000_000, 50_000, 50_000
SINGLE = """
import sys, time
import pyarrow.parquet as pq
from residua.predict.classifier import load
paths, threads = sys.argv[2:-1], int(sys.argv[-1])
classifier = load(sys.argv[1], engine="openvino", threads=threads, hint="throughput")
pictures = (
    row.as_py()
    for path in paths
    for batch in pq.ParquetFile(path).iter_batches(256, columns=["image"])
    for row in batch.column(0)
)
began = time.perf_counter()
count = sum(1 for _ in classifier.predict(pictures))
print(count / (time.perf_counter() - began))
"""


def write_files(folder: Path, rows: int) -> list[Path]:
    """Write ``rows`` rows of pictures and return the files."""
    table = pq.read_table(DATA / "cifar10-jpeg" / "test.parquet")
    content = [c["bytes"] if isinstance(c, dict) else c for c in table["image"].to_pylist()]
    files = []
    for number, first in enumerate(range(0, rows, FILE)):
        count = min(FILE, rows - first)
        path = folder / f"{number:03}.parquet"
        images = pa.array([content[(first + n) % len(content)] for n in range(count)], pa.binary())
        pq.write_table(pa.table({"image": images}), path, row_group_size=2_500)
        files.append(path)
    return files


def resident(mark: str) -> int:
    """Return the memory of all processes that a job has started, in MB: shared pages by share."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_text(errors="replace"):
                lines = (entry / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total // 1000


def run_cluster(bundle: Path, files: list[Path], save: Path, cores: int) -> dict[str, object]:
    """Run the job on a cluster of this machine with so many cores; return its figures."""
    words = [sys.executable, "-m", "residua", "predict", *map(str, files), "--model", str(bundle),
             "--cluster", "local", "--save", str(save), "--engine", "openvino",
             "--json"]  # fmt: skip
    mark = f"residua-{uuid.uuid4()}"
    began = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", "0" if cores == 1 else "0,1", *words],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"RESIDUA_MARK": mark},
    )  # fmt: skip
    memory: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(2.0):
            memory.append(resident(mark))

    watcher = threading.Thread(target=watch)
    watcher.start()
    told, _ = process.communicate()
    ended.set()
    watcher.join()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"the job ended with {process.returncode}")
    said = json.loads(told)
    parts = sorted(save.glob("*.parquet"), key=lambda part: part.stat().st_mtime)
    rows = [pq.ParquetFile(part).metadata.num_rows for part in parts]
    span = parts[-1].stat().st_mtime - parts[0].stat().st_mtime
    steady = sum(rows[1:]) / span if span else None
    return {
        "images": said["images"], "seconds": round(seconds, 1), "cores": cores,
        "images_per_second": round(said["images"] / seconds, 1),
        "steady_images_per_second": steady and round(steady, 1),
        "memory_mb": memory, "files": len(rows),
    }  # fmt: skip


def run_single(bundle: Path, files: list[Path], cores: int) -> float:
    """Return the pictures a second of one process on so many cores."""
    done = subprocess.run(
        ["taskset", "-c", "0" if cores == 1 else "0,1", sys.executable, "-c", SINGLE, str(bundle),
         *map(str, files), str(cores)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and write results/cluster_rows.json."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = folder / "teacher.bundle"
        weights = DATA / "weights" / "cifar10-resnet20.th"
        subprocess.run(
            [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet20",
             "--output", str(bundle), str(weights)], check=True, capture_output=True,
        )  # fmt: skip
        files = write_files(folder, rows)
        part = files[: max(1, min(PART, rows) // FILE)]
        record: dict[str, object] = {"rows": rows}
        record["single"] = {
            f"{cores}_cores": [round(run_single(bundle, part, cores), 1) for _ in range(2)]
            for cores in (1, 2)
        }
        print(record, flush=True)
        record["part"] = [
            run_cluster(bundle, part, folder / f"part{cores}", cores) for cores in (1, 2)
        ]
        print(record["part"], flush=True)
        record["whole"] = run_cluster(bundle, files, folder / "whole", 2)
        print(record["whole"], flush=True)
    write_result(
        "cluster_rows",
        "residua predict --cluster over a million rows of Parquet: memory, rate, overhead",
        "python benchmarks/cluster_rows.py",
        record,
    )  # fmt: skip


if __name__ == "__main__":
    main()
