"""What `residua train --quantise` gives: whole int8 exports before and after.

RESIDUA_TEST_DATA=FOLDER python benchmarks/quantise.py [FOLDER]

Nothing is left in float32. Two trained networks, each fine-tuned once with the rounding of int8 and
once without, all else the same. FOLDER keeps the bundles; those that are there are not trained
again.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from recording import RESULTS, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
BASES = {
    "flowers5": ("--epochs", "2", "--image-size", "112"),
    "cifar10-jpeg": (
        "-c", "cifar", "--epochs", "8", "-o", "model.widths=[8,16,32,64]",
        "-o", "model.stem_width=8", "-o", "optimiser.lr=0.2", "-o", "schedule.warmup_epochs=0.5",
    ),
}  # fmt: skip
ENGINES = {"openvino": "openvino", "onnx": "onnxruntime"}


def residua(*words: str) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "residua", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(data: str, bundle: Path, *words: str) -> None:
    """Train, unless ``bundle`` is there."""
    if not bundle.exists():
        residua("train", str(DATA / data), "--output", str(bundle), *words)


def score(bundle: Path, data: str) -> dict[str, Any]:
    """Return top-1 and loss in float32 and, by format, in int8, or why that was not written."""
    place = str(DATA / data)
    found = {"float32": evaluate(bundle, place, "onnxruntime", "fp32")}
    for name, engine in ENGINES.items():
        command = [
            sys.executable, "-m", "residua", "export", str(bundle), "--format", name, "--json",
            "--precision", "int8", "--calibrate", place, "--max-drop", "100",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        [outcome] = json.loads(done.stdout).values()
        if "error" in outcome:
            found[f"int8 {name}"] = {"refused": outcome["error"]}
        else:
            found[f"int8 {name}"] = evaluate(bundle, place, engine, "int8")
    return found


def evaluate(bundle: Path, place: str, engine: str, precision: str) -> dict[str, float]:
    """Return top-1 and loss on the validation part."""
    options = ("--engine", engine, "--precision", precision, "--json")
    record = json.loads(residua("evaluate", str(bundle), place, *options))
    return {"top1": round(record["top1"], 4), "loss": round(record["loss"], 4)}


def measure(data: str, folder: Path) -> dict[str, Any]:
    """Return the figures of a base and of both continuations."""
    base = folder / f"{data}.bundle"
    words = BASES[data]
    if "-c" not in words:
        weights = folder / "resnet18.bundle"
        if not weights.exists():
            file = str(DATA / "weights/imagenet-resnet18-test.safetensors")
            residua("weights", "import", "--model", "ResNet18", "--output", str(weights), file)
        words = ("--pretrained", str(weights), *words)
    train(data, base, *words)
    figures = {"before": score(base, data)}
    for name, wanted in (("plain", "false"), ("quantise", "true")):
        bundle = folder / f"{data}-{name}.bundle"
        train(
            data, bundle, "-c", "quantise", "--pretrained", str(base), "--epochs", "1",
            "-o", f"precision.quantise={wanted}",
        )  # fmt: skip
        figures[name] = score(bundle, data)
    return figures


def main() -> None:
    """Measure both and write results/quantise.json."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name)
        folder.mkdir(exist_ok=True)
        figures = {data: measure(data, folder) for data in BASES}
    write_result(
        "quantise",
        "int8 exports with nothing in float32: before, and after one epoch plain or --quantise",
        "python benchmarks/quantise.py",
        {"bases": {data: " ".join(words) for data, words in BASES.items()}, **figures},
    )


if __name__ == "__main__":
    main()
