"""Process start to first answer: `residua predict one.jpg`, with OpenVINO and with torch, paired.

python benchmarks/cold_start.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from making_bundles import make_random_bundle
from recording import measure_pairs, write_result


def main() -> None:
    """Measure seven pairs and write results/cold_start.json."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_random_bundle(Path(folder) / "x.bundle", "ResNet50_vd")
        picture = Path(folder) / "one.jpg"
        noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((500, 375)).save(picture)

        def predict_with(engine: str) -> float:
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "residua", "predict", picture, "-m", bundle.path,
                 "--engine", engine],
                check=True, capture_output=True,
            )  # fmt: skip
            return time.perf_counter() - started

        figures = measure_pairs(
            lambda: predict_with("openvino"), lambda: predict_with("torch"), pairs=7
        )
    write_result(
        "cold_start",
        "seconds from process start to the answer for one photo, ResNet50_vd: "
        "openvino (a) against torch (b)",
        "python benchmarks/cold_start.py",
        {"unit": "seconds", **figures},
    )


if __name__ == "__main__":
    main()
