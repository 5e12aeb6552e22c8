"""``residua.compat.PaddleClas`` beside PaddleClas's own wheel: the same weights, the same photos.

RESIDUA_TEST_DATA=FOLDER python benchmarks/paddleclas_wheel.py PYTHON

PYTHON has paddleclas 2.6.0 and paddlepaddle 3.3.1, in an environment of its own. ResNet18 has the
ImageNet weights of the test data, put into the wheel's network (whose first shortcut is a
projection: it gets the identity); its answers are compared class by class. ResNet50_vd is random
and measures speed: both read one inference folder and predict 60 photos, decoding included, one at
a time and eight, in processes of their own, in turns.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from recording import RESULTS, summarise, write_result

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
APP = Path(__file__).parent / "peers" / "paddleclas_app.py"
PAIRS, ROUNDS = 4, 2


def as_paddle(bundle: Path) -> dict[str, np.ndarray]:
    """Return a bundle's ResNet18 by the names of PaddleClas's layers."""
    own = load_file(bundle / "weights.safetensors")
    found = {}
    for name, array in own.items():
        theirs = name.replace("head.", "fc.").replace("shortcut.", "short.")
        if theirs.startswith("stages."):
            _, stage, block, rest = theirs.split(".", 3)
            theirs = f"blocks.{2 * int(stage) + int(block)}.{rest}"
        for ours, paddle in (
            (".norm.running_mean", ".bn._mean"), (".norm.running_var", ".bn._variance"),
            (".norm.", ".bn."),
        ):  # fmt: skip
            theirs = theirs.replace(ours, paddle)
        found[theirs] = array.T if theirs == "fc.weight" else array
    if "blocks.0.short.conv.weight" not in found:
        found |= {
            "blocks.0.short.conv.weight": np.eye(64, dtype=np.float32)[:, :, None, None],
            "blocks.0.short.bn.weight": np.full(64, (1 + 1e-5) ** 0.5, np.float32),
            "blocks.0.short.bn.bias": np.zeros(64, np.float32),
            "blocks.0.short.bn._mean": np.zeros(64, np.float32),
            "blocks.0.short.bn._variance": np.ones(64, np.float32),
        }
    return found


def ask_wheel(python: str, folder: Path, batch: int, rounds: int) -> dict[str, list]:
    """Return the wheel's records and rates."""
    done = subprocess.run(
        [python, str(APP), "predict", str(folder), str(DATA / "photos"), str(batch), str(rounds)],
        check=True, capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    return json.loads(line.removeprefix("JSON "))


def ask_residua(folder: Path, batch: int, rounds: int) -> dict[str, list]:
    """Return residua's, in a process of its own as well."""
    done = subprocess.run(
        [sys.executable, __file__, "--ask", str(folder), str(batch), str(rounds)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def answer(folder: str, batch: int, rounds: int) -> None:
    """Print what residua's class answers."""
    from residua.compat import PaddleClas

    made = PaddleClas(
        inference_model_dir=folder, use_gpu=False, batch_size=batch, topk=5, cpu_num_threads=2
    )
    photos = str(DATA / "photos")
    records = [record for found in made.predict(photos) for record in found]
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        count = sum(len(found) for found in made.predict(photos))
        rates.append(count / (time.perf_counter() - began))
    print(json.dumps({"records": records, "rates": rates}))


def compare(theirs: list[dict], ours: list[dict]) -> dict[str, object]:
    """Return how many photos have the same five classes in the same order, and by how much not."""
    own = {Path(record["filename"]).name: record for record in ours}
    same, differences = 0, []
    for record in theirs:
        mine = own[Path(record["filename"]).name]
        same += record["class_ids"] == mine["class_ids"]
        scores = dict(zip(mine["class_ids"], mine["scores"], strict=True))
        differences += [
            abs(score - scores.get(number, 0.0))
            for number, score in zip(record["class_ids"], record["scores"], strict=True)
        ]
    return {
        "photos": len(theirs), "same_top5_in_order": same,
        "largest_difference_of_probabilities": max(differences),
    }  # fmt: skip


def main(python: str) -> None:
    """Compare, measure and write results/paddleclas_wheel.json."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "-m", "residua", "weights", "import", "--model", "ResNet18",
             "--output", str(folder / "r18.bundle"),
             str(DATA / "weights" / "imagenet-resnet18-test.safetensors")],
            check=True, capture_output=True,
        )  # fmt: skip
        np.savez(folder / "r18.npz", **as_paddle(folder / "r18.bundle"))
        for network, tensors in (("ResNet18", folder / "r18.npz"), ("ResNet50_vd", folder / "no")):
            target = folder / network
            target.mkdir()
            subprocess.run(
                [python, str(APP), "write", str(tensors), network, str(target)], check=True,
                capture_output=True,
            )  # fmt: skip
        target = folder / "ResNet18"
        figures["ResNet18"] = compare(
            ask_wheel(python, target, 1, 0)["records"], ask_residua(target, 1, 0)["records"]
        )
        print(figures, flush=True)
        for batch in (1, 8):
            wheel, own = [], []
            for pair in range(PAIRS):
                for which in "wr" if pair % 2 == 0 else "rw":
                    target = folder / "ResNet50_vd"
                    if which == "w":
                        wheel.append(max(ask_wheel(python, target, batch, ROUNDS)["rates"]))
                    else:
                        own.append(max(ask_residua(target, batch, ROUNDS)["rates"]))
            figures[f"ResNet50_vd, batches of {batch}"] = {
                "wheel_images_per_second": summarise(wheel),
                "residua_images_per_second": summarise(own),
                "ratio": summarise([b / a for a, b in zip(wheel, own, strict=True)]),
            }
            print(figures[f"ResNet50_vd, batches of {batch}"], flush=True)
    write_result(
        "paddleclas_wheel",
        "PaddleClas's wheel and residua's class of this name: the same answers, images a second",
        "python benchmarks/paddleclas_wheel.py PYTHON",
        figures,
    )


if __name__ == "__main__":
    if sys.argv[1] == "--ask":
        answer(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(sys.argv[1])
