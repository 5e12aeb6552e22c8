"""The server against the same work in this process, and under two and five times its load.

    RESIDUA_TEST_DATA=FOLDER python benchmarks/server.py [--model NAME] [--precision fp32 …]

JPEG in, labels out, loopback, OpenVINO; the client is a process on the same cores. In turns:
  saturation   answers a second, as many requests at a time as pay, against decoding and computing
               the same files in one process (``Classifier.predict``)
  low load     milliseconds of one request at a time against ``prepare`` and ``run`` in a process
  overload     2 and 5 times the capacity, arrivals at random: times of the answered, refusals,
               memory; then how soon a lone request is quick again
"""

import argparse
import asyncio
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from recording import RESULTS, summarise, write_result
from residua.bench.load.client import Sender, run_steps
from residua.bench.stand_in import make_stand_in
from residua.engines.choose import open_engine
from residua.engines.engine import Engine
from residua.export.run import export_bundle
from residua.pixels.prepare import prepare
from residua.predict.classifier import Classifier
from residua.zoo.weights.catalogue import find_architecture

ROUNDS = 7
TIMEOUT = 2.0  # seconds, of the requests under overload
PORT = 18433


class Server:
    """``residua serve`` in a process of its own."""

    def __init__(self, bundle: Path, precision: str, *options: str) -> None:
        """Start it and wait until it is ready."""
        self.url = f"http://127.0.0.1:{PORT}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "residua", "serve", str(bundle), "--engine", "openvino",
             "--port", str(PORT), "--grpc-port", "0", "--quiet", "--timeout", str(TIMEOUT),
             "--precision", precision, *options],
        )  # fmt: skip
        while True:
            try:
                with socket.create_connection(("127.0.0.1", PORT)) as probe:
                    probe.sendall(b"GET /v2/health/ready HTTP/1.0\r\n\r\n")
                    assert b" 200 " in probe.recv(100)
            except (OSError, AssertionError):
                time.sleep(0.05)
            else:
                return

    def memory(self) -> float:
        """Return the megabytes that it has in memory now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 1e6

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        assert self._process.wait(60) == 0


def measure_low_load(url: str, pictures: list[bytes]) -> float:
    """Return the median milliseconds of a request, one at a time on one connection.

    The client is Python's own, whose cost is counted too, but not that of an event loop.
    """
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    headers, times = {"Content-Type": "application/octet-stream"}, []
    for picture in pictures:
        begun = time.perf_counter()
        connection.request("POST", place.path, picture, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        times.append(1000 * (time.perf_counter() - begun))
        assert answer.status == 200, found
    connection.close()
    return statistics.median(times)


async def measure_saturation(url: str, pictures: list[bytes]) -> float:
    """Return the answers a second with 16 requests at a time."""
    async with aiohttp.ClientSession() as session:
        sender = Sender(session, url, pictures, 30)
        return await sender.answered_with(16)


def compare_speed(
    server: Server, classifier: Classifier, lone: Engine, pictures: list[bytes]
) -> dict[str, Any]:
    """Return saturation and low load, in turns with the same work in this process.

    ``classifier`` is opened for many pictures, ``lone`` for one at a time.
    """
    url, preprocess = f"{server.url}/v1/predict", classifier.manifest.preprocess
    rates: dict[str, list[float]] = {"server": [], "process": []}
    times: dict[str, list[float]] = {"server": [], "process": []}
    many = pictures * max(1, 180 // len(pictures))
    for turn in range(ROUNDS + 1):
        begun = time.perf_counter()
        assert all(each.ok for each in classifier.predict(many))
        rates["process"].append(len(many) / (time.perf_counter() - begun))
        rates["server"].append(asyncio.run(measure_saturation(url, pictures)))
        alone = []
        for picture in pictures:
            begun = time.perf_counter()
            lone.run(prepare(picture, preprocess)[None])
            alone.append(1000 * (time.perf_counter() - begun))
        times["process"].append(statistics.median(alone))
        times["server"].append(measure_low_load(url, pictures))
        if not turn:  # the first warms up
            for found in (*rates.values(), *times.values()):
                found.clear()
    pairs = list(zip(rates["server"], rates["process"], strict=True))
    more = [a - b for a, b in zip(times["server"], times["process"], strict=True)]
    return {
        "saturation, images a second": {name: summarise(found) for name, found in rates.items()},
        "saturation, server to process": summarise([a / b for a, b in pairs]),
        "low load, ms": {name: summarise(found) for name, found in times.items()},
        "low load, ms more than in the process": summarise(more),
    }


async def overload(server: Server, pictures: list[bytes], capacity: float) -> dict[str, Any]:
    """Return what came of 2 and 5 times the capacity, and how the server recovers."""
    url, found = f"{server.url}/v1/predict", {}
    for times in (2, 5):
        before = server.memory()
        _, [step] = await run_steps(
            url,
            pictures,
            [times * capacity],
            seconds=10,
            timeout=10,
            headers={},
            seed=times,
            notify=lambda _: None,
        )  # run_steps waits a second after it
        during = server.memory()
        async with aiohttp.ClientSession() as session:
            begun = time.perf_counter()
            status = await Sender(session, url, pictures, 10).send()
            again = 1000 * (time.perf_counter() - begun)
        found[f"{times} times the capacity"] = {
            **json.loads(step.model_dump_json()),
            "megabytes before": round(before), "megabytes after": round(during),
            "a lone request one second later": {"status": status, "ms": round(again, 1)},
        }  # fmt: skip
    return found


def main() -> None:
    """Measure and write results/server.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ResNet50_vd")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    given = parser.parse_args()
    data = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
    pictures = [path.read_bytes() for path in sorted((data / "photos").glob("*.JPEG"))]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        row = find_architecture(given.model)
        bundle = make_stand_in(Path(folder) / "x.bundle", row)
        assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
        for precision in given.precision:
            server = Server(bundle.path, precision)
            try:
                many = Classifier(bundle, engine="openvino", precision=precision, hint="throughput")
                lone = open_engine(bundle, engine="openvino", precision=precision)
                found = compare_speed(server, many, lone, pictures)
                capacity = found["saturation, images a second"]["server"]["median"]
                found |= asyncio.run(overload(server, pictures, capacity))
            finally:
                server.stop()
            figures[f"{given.model} {precision}"] = found
    write_result(
        "server",
        f"residua serve, JPEG in, labels out, loopback: deadline {TIMEOUT:g} s under overload",
        "python benchmarks/server.py",
        {"pictures": len(pictures), "models": figures},
    )


if __name__ == "__main__":
    main()
