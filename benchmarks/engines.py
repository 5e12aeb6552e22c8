"""OpenVINO against torch on the same crops: seconds an image, paired.

python benchmarks/engines.py
"""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recording import measure_pairs, write_result
from residua.bench.stand_in import make_stand_in
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.zoo.weights.catalogue import find_architecture

MODELS = ("ResNet18", "ResNet50_vd", "SE_ResNet50_vd", "ResNet101_vd")


def time_one(engine: Engine, batch: np.ndarray) -> float:
    """Return milliseconds an image, over four runs."""
    started = time.perf_counter()
    for _ in range(4):
        engine.run(batch)
    return (time.perf_counter() - started) / 4 / len(batch) * 1000


def main() -> None:
    """Measure batches of 1 and 8 and write results/engines.json."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            bundle = make_stand_in(Path(folder) / f"{model}.bundle", find_architecture(model))
            engines = [open_engine(bundle, engine=name) for name in ("openvino", "torch")]
            for size in (1, 8):
                batch = np.random.default_rng(0).integers(0, 256, (size, 224, 224, 3), np.uint8)

                figures[f"{model}, batch {size}"] = measure_pairs(
                    *(partial(time_one, engine, batch) for engine in engines), pairs=7
                )
    write_result(
        "engines",
        "milliseconds an image of 224 pixels in float32: openvino (a) against torch (b)",
        "python benchmarks/engines.py",
        {"unit": "ms an image", "models": figures},
    )


if __name__ == "__main__":
    main()
