"""The C++ predictor against ``residua predict``, both from files to JSON lines, paired.

    make cpp
    python benchmarks/cpp_speed.py [FOLDER OF PHOTOS]

Each is a process of its own that is given paths on standard input. Its rate is that of the later
pictures: the time for many less that for one, so that the start does not count; the start is told
by itself. Without a folder the photos of the test data are taken.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import measure_pairs, summarise, write_result
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "cpp" / "build" / "residua-classify"
MODELS = ("ResNet18", "ResNet50_vd")
PAIRS = 5
MANY = 301


def find_photos() -> list[str]:
    """Return the photos, again and again until there are as many as are measured."""
    data = os.environ.get("RESIDUA_TEST_DATA", ROOT.parent / "shared" / "data")
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path(data) / "photos"
    found = [str(p) for p in sorted(folder.iterdir()) if p.suffix.lower() in {".jpeg", ".jpg"}]
    return (found * (MANY // len(found) + 1))[:MANY]


def run(command: list[str], photos: list[str]) -> float:
    """Return the seconds that ``command`` takes for ``photos``."""
    started = time.perf_counter()
    done = subprocess.run(
        command, input="\n".join(photos), text=True, capture_output=True, check=True
    )
    seconds = time.perf_counter() - started
    assert done.stdout.count("\n") == len(photos)
    return seconds


def main() -> None:
    """Measure and write results/cpp_speed.json."""
    photos = find_photos()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            bundle = make_stand_in(Path(folder) / f"{model}.bundle", find_architecture(model))
            assert all(outcome.error is None for outcome in export_bundle(bundle, ["openvino"]))
            path, cache = str(bundle.path), str(Path(folder) / "cache")
            program = [str(PROGRAM), path, "-", "--json", "--cache", cache]
            commands = {
                "C++ --throughput": [*program, "--throughput"],
                "C++": program,
                "Python": [
                    sys.executable, "-m", "residua", "predict", "-", "--json", "--model", path,
                    "--engine", "openvino",
                ],
            }  # fmt: skip
            starts: dict[str, list[float]] = {name: [] for name in commands}

            def rate(name: str, commands: Any = commands, starts: Any = starts) -> float:
                one, many = run(commands[name], photos[:1]), run(commands[name], photos)
                starts[name].append(one)
                return (len(photos) - 1) / (many - one)

            figures[model] = {
                name: measure_pairs(
                    lambda name=name: rate(name), lambda: rate("Python"), pairs=PAIRS
                )
                for name in ("C++ --throughput", "C++")
            }
            figures[model]["seconds for one photo, start included"] = {
                name: summarise(values[1:]) for name, values in starts.items()
            }
    write_result(
        "cpp_speed",
        "images a second, files to JSON: the C++ predictor (a) against residua predict (b), fp32",
        "python benchmarks/cpp_speed.py",
        {"unit": "images a second", "models": figures},
    )


if __name__ == "__main__":
    main()
