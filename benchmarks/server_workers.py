"""One process against two of half the cores: answers a second, and milliseconds at low load.

RESIDUA_TEST_DATA=FOLDER python benchmarks/server_workers.py
"""

import asyncio
import os
import tempfile
from pathlib import Path

from recording import RESULTS, summarise, write_result
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture
from server import Server, measure_low_load, measure_saturation

ROUNDS = 5
WORKERS = (1, 2)


def main() -> None:
    """Measure and write results/server_workers.json."""
    data = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
    pictures = [path.read_bytes() for path in sorted((data / "photos").glob("*.JPEG"))]
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ResNet18", "ResNet50_vd"):
            bundle = make_stand_in(Path(folder) / f"{name}.bundle", find_architecture(name))
            assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
            rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
            times: dict[int, list[float]] = {workers: [] for workers in WORKERS}
            for _ in range(ROUNDS):
                for workers in WORKERS:
                    server = Server(bundle.path, "fp32", "--workers", str(workers))
                    url = f"{server.url}/v1/predict"
                    try:
                        asyncio.run(measure_saturation(url, pictures))  # warms up
                        rates[workers].append(asyncio.run(measure_saturation(url, pictures)))
                        times[workers].append(measure_low_load(url, pictures))
                    finally:
                        server.stop()
            pairs = zip(rates[2], rates[1], strict=True)
            figures[name] = {
                "answers a second": {str(key): summarise(found) for key, found in rates.items()},
                "two to one": summarise([two / one for two, one in pairs]),
                "low load, ms": {str(key): summarise(found) for key, found in times.items()},
            }
    write_result(
        "server_workers",
        "residua serve, JPEG in, labels out, loopback: 16 requests at a time, and one",
        "python benchmarks/server_workers.py",
        {"workers": figures},
    )


if __name__ == "__main__":
    main()
