"""Fine-tuning ImageNet weights to five flowers: top-1 on their validation part, three seeds.

RESIDUA_TEST_DATA=FOLDER python benchmarks/finetune_flowers.py [SEEDS]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recording import RESULTS, summarise, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
SETTINGS = ("augment.image_size=160", "evaluate.image_size=208", "loop.epochs=7")


def train(weights: Path, folder: Path, seed: int) -> tuple[float, float]:
    """Return top-1 and minutes of a whole `residua train`, from start to bundle."""
    command = [
        sys.executable, "-m", "residua", "train", str(DATA / "flowers5"),
        "--pretrained", str(weights), "--seed", str(seed), "--output", str(folder / "f.bundle"),
        "--overwrite", "--json", *(word for setting in SETTINGS for word in ("-o", setting)),
    ]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    minutes = (time.monotonic() - started) / 60
    return json.loads(done.stdout)["top1"], minutes


def main() -> None:
    """Train with each seed and write results/finetune_flowers.json."""
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "resnet18.bundle"
        subprocess.run(
            [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet18",
             "--output", str(weights), str(DATA / "weights/imagenet-resnet18-test.safetensors")],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        runs = [train(weights, folder, seed) for seed in seeds]
    write_result(
        "finetune_flowers",
        "residua train flowers5 --pretrained ResNet18 (ImageNet): top-1 on 736 unseen photos",
        "python benchmarks/finetune_flowers.py",
        {
            "seeds": list(seeds),
            "settings": SETTINGS,
            "top1": summarise([top1 for top1, _ in runs]),
            "minutes": summarise([minutes for _, minutes in runs]),
        },
    )


if __name__ == "__main__":
    main()
