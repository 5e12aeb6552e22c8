"""CIFAR-10 (as lossy JPEGs) from scratch within a budget: accuracy against minutes, three seeds.

RESIDUA_TEST_DATA=FOLDER python benchmarks/cifar_curve.py [MINUTES] [SEEDS]
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
# A quarter of ResNet18's widths: on two cores more pictures teach more than more channels.
SETTINGS = (
    "model.widths=[16,32,64,128]", "model.stem_width=16", "optimiser.lr=0.2",
    "schedule.warmup_epochs=0.5", "loop.epochs=200",
)  # fmt: skip


def train(folder: Path, minutes: float, seed: int) -> list[dict[str, Any]]:
    """Return the epochs of a run that was given so many minutes."""
    output = folder / f"{seed}.bundle"
    subprocess.run(
        [sys.executable, "-m", "residua", "train", str(DATA / "cifar10-jpeg"), "-c", "cifar",
         "--budget", f"{minutes}min", "--seed", str(seed), "--output", str(output),
         *(word for setting in SETTINGS for word in ("-o", setting))],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    lines = output.with_suffix(".run").joinpath("metrics.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line))["event"] == "epoch"]


def main() -> None:
    """Train with each seed and write results/cifar_curve.json."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
    with tempfile.TemporaryDirectory() as folder:
        runs = {seed: train(Path(folder), minutes, seed) for seed in seeds}
    write_result(
        "cifar_curve",
        "CIFAR-10 as JPEGs from scratch: top-1 on 10,000 test pictures after so many minutes",
        f"python benchmarks/cifar_curve.py {minutes:g} {len(seeds)}",
        {
            "seeds": list(seeds),
            "settings": SETTINGS,
            "budget_minutes": minutes,
            "top1": summarise([run[-1]["val_top1"] for run in runs.values()]),
            "curves": {
                str(seed): [[round(e["seconds"] / 60, 2), e["val_top1"]] for e in run]
                for seed, run in runs.items()
            },
        },
    )


if __name__ == "__main__":
    main()
