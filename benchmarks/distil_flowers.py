"""Five flowers: a narrow student from scratch, with and without a teacher; then at a larger size.

RESIDUA_TEST_DATA=FOLDER python benchmarks/distil_flowers.py [SEEDS]

The teacher is ResNet18 with ImageNet weights, fine-tuned to the flowers; the student has half its
widths and no weights. Both arms see the same pictures as often. ``fix`` then fits the taught
student to larger pictures: top-1 at its own size, at the larger one before, and after.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from recording import RESULTS, summarise, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
FLOWERS = DATA / "flowers5"
SIZE, LARGER, EPOCHS = 112, 144, 14
STUDENT = (
    "model.widths=[32,64,128,256]", "model.stem_width=32", "optimiser.lr=0.05",
    "augment.crop.scale=[0.25,1.0]", "evaluate.keep=last", f"evaluate.every={EPOCHS}",
    "schedule.warmup_epochs=2",
)  # fmt: skip
# Without label smoothing: it takes from a teacher what it knows of classes that are alike (LOG.md).
TEACHER = (
    f"augment.image_size={SIZE - 16}", f"evaluate.image_size={SIZE}", "loop.epochs=6",
    "loss.label_smoothing=0",
)  # fmt: skip


def call(*words: object) -> dict[str, Any]:
    """Return what ``residua`` with these words and --json says."""
    command = [sys.executable, "-m", "residua", *map(str, words), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def spell(settings: tuple[str, ...]) -> list[str]:
    """Return settings as words of a command."""
    return [word for setting in settings for word in ("-o", setting)]


def make_teacher(folder: Path) -> tuple[Path, float]:
    """Return the fine-tuned teacher, and its top-1."""
    weights, teacher = folder / "resnet18.bundle", folder / "teacher.bundle"
    subprocess.run(
        [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet18",
         "--output", str(weights), str(DATA / "weights/imagenet-resnet18-test.safetensors")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    found = call(
        "train", FLOWERS, "--pretrained", weights, "--seed", 0, "--output", teacher, *spell(TEACHER)
    )
    return teacher, found["top1"]


def run_arms(folder: Path, teacher: Path, seed: int) -> dict[str, float]:
    """Return the top-1 of every arm."""
    common = [
        "-c", "scratch", "--epochs", EPOCHS, "--image-size", SIZE, "--seed", seed, *spell(STUDENT)
    ]  # fmt: skip
    alone = call(
        "train", FLOWERS, *common, "--model", "ResNet18", "--output", folder / "alone.bundle"
    )
    taught = folder / "taught.bundle"
    kd = call(
        "distil", FLOWERS, *common, "--student", "ResNet18", "--teacher", teacher,
        "--recipe", "kd", "--output", taught,
    )  # fmt: skip
    sizes = call("evaluate", taught, FLOWERS, "--sizes", f"{SIZE},{LARGER}")
    by_size = {row["image_size"]: row["top1"] for row in sizes["sizes"]}
    fixed = call("train", FLOWERS, "--fix", taught, "--size", LARGER, "--seed", seed,
                 "--output", folder / "fixed.bundle")  # fmt: skip
    return {
        "alone": alone["top1"], "kd": kd["top1"], f"kd at {SIZE}": by_size[SIZE],
        f"kd at {LARGER}": by_size[LARGER], f"kd fixed at {LARGER}": fixed["top1"],
    }  # fmt: skip


def main() -> None:
    """Train with each seed and write results/distil_flowers.json."""
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    runs = []
    with tempfile.TemporaryDirectory() as name:
        teacher, known = make_teacher(Path(name))
        print("teacher", known, flush=True)
        for seed in seeds:
            folder = Path(name) / str(seed)
            folder.mkdir()
            runs.append(run_arms(folder, teacher, seed))
            print(seed, runs[-1], flush=True)
    write_result(
        "distil_flowers",
        "flowers5, a narrow ResNet18 from scratch: top-1 on 736 unseen photos, the same epochs",
        "python benchmarks/distil_flowers.py",
        {
            "seeds": list(seeds), "student": STUDENT, "epochs": EPOCHS, "size": SIZE,
            "teacher_top1": known, "top1": {a: summarise([r[a] for r in runs]) for a in runs[0]},
            "kd more than alone": summarise([run["kd"] - run["alone"] for run in runs]),
            "fix": summarise(
                [run[f"kd fixed at {LARGER}"] - run[f"kd at {LARGER}"] for run in runs]
            ),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
