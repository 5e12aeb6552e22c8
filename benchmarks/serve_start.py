"""How soon a server is ready, in the slim environment without torch, and how large that is.

    make .venv-runtime/.installed
    RESIDUA_RUNTIME_PYTHON=.venv-runtime/bin/python python benchmarks/serve_start.py

From the start of the process to the first "ready", then to the first answer; the very first start,
which compares the engines once and remembers it, stands apart.
"""

import argparse
import http.client
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import RESULTS, summarise, write_result
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture

PORT = 18434
STARTS = 9


def start_once(python: str, bundle: Path, photo: bytes, cache: Path) -> dict[str, float]:
    """Return the seconds to ready, and from there to the first answer."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [python, "-m", "residua", "serve", str(bundle), "--port", str(PORT), "--quiet"],
        env=os.environ | {"RESIDUA_CACHE": str(cache)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while ask("GET", "/v2/health/ready") != 200:
            assert process.poll() is None
            time.sleep(0.005)
        ready = time.perf_counter()
        assert ask("POST", "/v1/predict", photo) == 200
        return {"ready": ready - begun, "first answer": time.perf_counter() - ready}
    finally:
        process.terminate()
        process.wait(30)


def ask(method: str, path: str, body: bytes | None = None) -> int:
    """Return the status of a request, 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def measure_environment(python: str) -> dict[str, float]:
    """Return the megabytes of an environment, and of its largest packages."""
    packages = next((Path(python).parent.parent / "lib").glob("python*/site-packages"))
    sizes = {each.name: size_of(each) for each in packages.iterdir() if each.is_dir()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
    return {"all": size_of(Path(python).parent.parent), **dict(largest)}


def size_of(folder: Path) -> float:
    """Return the megabytes of a folder."""
    return round(sum(x.lstat().st_size for x in folder.rglob("*") if x.is_file()) / 1e6)


def main() -> None:
    """Measure and write results/serve_start.json."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    python = os.environ["RESIDUA_RUNTIME_PYTHON"]
    data = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
    photo = min((data / "photos").glob("*.JPEG")).read_bytes()
    figures: dict[str, Any] = {"megabytes": measure_environment(python), "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ResNet18", "ResNet50_vd"):
            bundle = make_stand_in(Path(folder) / f"{name}.bundle", find_architecture(name))
            assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
            cache = Path(folder) / name
            first, *later = (start_once(python, bundle.path, photo, cache) for _ in range(STARTS))
            figures["seconds"][name] = {
                "the first start of all": {key: round(value, 3) for key, value in first.items()},
                **{key: summarise([each[key] for each in later]) for key in first},
            }
    write_result(
        "serve_start",
        "residua serve of an exported bundle in an environment without torch: from the start of "
        "the process to ready, and the first answer after that",
        "python benchmarks/serve_start.py",
        figures,
    )


if __name__ == "__main__":
    main()
