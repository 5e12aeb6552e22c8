"""Predicting a folder of photos against the network alone on the same crops, paired.

    python benchmarks/predict_throughput.py [FOLDER OF PHOTOS]

Without a folder the photos of the test data are taken, or JPEGs of noise of 500 x 375 pixels.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from making_bundles import make_random_bundle
from recording import measure_pairs, write_result
from residua.pixels.prepare import prepare
from residua.predict.classifier import Classifier

MODELS = ("ResNet18", "ResNet50_vd")


def find_photos(scratch: Path) -> tuple[list[Path], str]:
    """Return the photos to predict and what they are, in words."""
    given = sys.argv[1:] or [f"{os.environ.get('RESIDUA_TEST_DATA', '../shared/data')}/photos"]
    found = sorted(p for p in Path(given[0]).rglob("*") if p.suffix.lower() in {".jpeg", ".jpg"})
    if found:
        return found, f"{len(found)} photos"
    for index in range(60):
        noise = np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC)
        picture.save(scratch / f"{index}.jpg", quality=90)
    return sorted(scratch.glob("*.jpg")), "60 JPEGs of coarse noise, 500 x 375"


def main() -> None:
    """Measure and write results/predict_throughput.json."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        photos, what = find_photos(Path(folder))
        for model in MODELS:
            bundle = make_random_bundle(Path(folder) / f"{model}.bundle", model)
            classifier = Classifier(bundle)
            engine, preprocess = classifier.engine, bundle.manifest.preprocess
            crops = np.stack([prepare(path.read_bytes(), preprocess) for path in photos])

            def predict_all(classifier: Classifier = classifier) -> float:
                started = time.perf_counter()
                assert all(prediction.ok for prediction in classifier.predict(photos))
                return len(photos) / (time.perf_counter() - started)

            def run_all(engine: Any = engine, crops: np.ndarray = crops) -> float:
                started = time.perf_counter()
                for first in range(0, len(crops), engine.good_batch):
                    engine.run(crops[first : first + engine.good_batch])
                return len(crops) / (time.perf_counter() - started)

            figures[model] = measure_pairs(predict_all, run_all, pairs=7)
    write_result(
        "predict_throughput",
        f"images a second on {what}: files to predictions (a) against the network alone (b)",
        "python benchmarks/predict_throughput.py",
        {"unit": "images a second", "models": figures},
    )


if __name__ == "__main__":
    main()
