"""CIFAR-10 with a tenth of its labels: a student alone, by KD, and by SSLD with the mined rest.

RESIDUA_TEST_DATA=FOLDER python benchmarks/distil_cifar.py [SEEDS]

The same number of updates for every arm. The teacher is a published ResNet20
(cifar10-resnet20.th), which has seen all labels, as SSLD's teacher had seen more than its student;
the student never does. Test pictures are those of the data set, 10,000.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recording import RESULTS, summarise, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
LABELLED = 500  # of each class; the other 4,500 have no label
BATCH, UPDATES = 128, 4000
ALONE = UPDATES // (10 * LABELLED // BATCH)  # epochs of the labelled pictures
FIRST = 9  # epochs of all pictures in stage 1: 9 x 390 updates
SECOND = (UPDATES - FIRST * (50_000 // BATCH)) // (10 * LABELLED // BATCH)
SETTINGS = (
    "model.widths=[8,16,32,64]", "model.stem_width=8", "model.small_images=true",
    "optimiser.lr=0.2", "loss.label_smoothing=0", "evaluate.every=1000", "evaluate.keep=last",
    f"loop.batch_size={BATCH}",
)  # fmt: skip


def call(*words: object) -> dict[str, Any]:
    """Return what ``residua`` with these words and --json says."""
    command = [sys.executable, "-m", "residua", *map(str, words), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hide_labels(folder: Path, seed: int) -> tuple[Path, Path]:
    """Write the labelled tenth as Parquet, and the rest as shards without labels."""
    table = pq.read_table(DATA / "cifar10-jpeg" / "train.parquet")
    labels = np.asarray(table["label"])
    rng = np.random.default_rng(seed)
    kept = np.concatenate(
        [rng.permutation(np.flatnonzero(labels == c))[:LABELLED] for c in range(10)]
    )
    labelled, rest = folder / "labelled", folder / "rest"
    labelled.mkdir()
    rest.mkdir()
    pq.write_table(table.take(pa.array(np.sort(kept))), labelled / "train.parquet")
    (labelled / "test.parquet").symlink_to(DATA / "cifar10-jpeg" / "test.parquet")
    others = np.setdiff1d(np.arange(len(labels)), kept)
    column = table["image"]
    with tarfile.open(rest / "rest.tar", "w") as archive:
        for index in others:
            content = column[int(index)].as_py()
            content = content["bytes"] if isinstance(content, dict) else content
            info = tarfile.TarInfo(f"{index:05}.jpg")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return labelled, rest / "rest.tar"


def run_arms(folder: Path, teacher: Path, seed: int) -> dict[str, float]:
    """Return the top-1 of every arm."""
    labelled, rest = hide_labels(folder, seed)
    settings = [word for setting in SETTINGS for word in ("-o", setting)]
    common = ["-c", "cifar", "--seed", seed, *settings]
    taught = [*common, "--teacher", teacher, "--student", "ResNet18"]
    alone = call("train", labelled, *common, "--epochs", ALONE, "--output", folder / "alone.bundle")
    kd = call(
        "distil", labelled, *taught, "--recipe", "kd", "--epochs", ALONE,
        "--output", folder / "kd.bundle",
    )  # fmt: skip
    ssld = call(
        "distil", labelled, *taught, "--recipe", "ssld", "--unlabelled", rest,
        "--per-class", 4500, "--epochs", FIRST, "--second-epochs", SECOND,
        "--output", folder / "ssld.bundle",
    )  # fmt: skip
    stages = ssld["stages"]
    return {
        "alone": alone["top1"], "kd": kd["top1"],
        "ssld, stage 1": stages["stage1"]["top1"], "ssld": stages["stage2"]["top1"],
    }  # fmt: skip


def import_teacher(folder: Path) -> Path:
    """Return the published ResNet20 as a bundle that knows the classes by name."""
    target = folder / "teacher.bundle"
    names = folder / "classes.txt"
    names.write_text("\n".join(list_classes()) + "\n")
    subprocess.run(
        [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet20",
         "--classes", str(names), "--output", str(target),
         str(DATA / "weights/cifar10-resnet20.th")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return target


def list_classes() -> Sequence[str]:
    """Return the names of the classes in the order of CIFAR-10's labels."""
    return (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip


def main() -> None:
    """Train all arms with each seed and write results/distil_cifar.json."""
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    runs = []
    with tempfile.TemporaryDirectory() as name:
        teacher = import_teacher(Path(name))
        known = call("evaluate", teacher, DATA / "cifar10-jpeg")
        for seed in seeds:
            folder = Path(name) / str(seed)
            folder.mkdir()
            runs.append(run_arms(folder, teacher, seed))
            print(seed, runs[-1], flush=True)
    arms = {arm: summarise([run[arm] for run in runs]) for arm in runs[0]}
    gains = {
        arm: summarise([run[arm] - run["alone"] for run in runs])
        for arm in ("kd", "ssld, stage 1", "ssld")
    }
    write_result(
        "distil_cifar",
        "CIFAR-10 with 5,000 labels of 50,000: top-1 on 10,000 test pictures, the same updates",
        "python benchmarks/distil_cifar.py",
        {
            "seeds": list(seeds), "settings": SETTINGS, "updates": UPDATES,
            "teacher_top1": known["top1"], "top1": arms, "more than alone": gains,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
