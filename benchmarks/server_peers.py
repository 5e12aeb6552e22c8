"""residua serve beside LitServe and Ray Serve: the same engine, photos and client, in turns.

    python -m venv peers && peers/bin/pip install -r requirements-runtime.txt \
        -r benchmarks/peers/requirements.txt
    RESIDUA_TEST_DATA=FOLDER PEERS_PYTHON=peers/bin/python python benchmarks/server_peers.py

Each server runs alone. Rounds: answers a second with 16 requests at a time; then arrivals at random
at 0.8, 2 and 5 times what residua answers, with a deadline of 2 s where a server knows one. A
request is one JPEG: the body itself, for LitServe base64 in JSON.
"""

import asyncio
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from recording import RESULTS, summarise, write_result
from residua.bench.load.client import Sender
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture

MODEL = "ResNet50_vd"
PORT = 18470
ROUNDS = 3
SECONDS = 8.0
SHARES = (0.8, 2.0, 5.0)
HERE = Path(__file__).resolve().parent


def list_commands(bundle: str, precision: str) -> dict[str, tuple[list[str], str]]:
    """Return how each server is started, and the path that takes a picture."""
    peers, port = os.environ["PEERS_PYTHON"], str(PORT)
    ours = [sys.executable, "-m", "residua", "serve", bundle, "--precision", precision,
            "--engine", "openvino",
            "--port", port, "--grpc-port", "0", "--quiet", "--timeout", "2"]  # fmt: skip
    return {
        "residua": (ours, "/v1/predict"),
        "LitServe": ([peers, str(HERE / "peers/litserve_app.py"), bundle, precision, port],
                     "/predict"),
        "Ray Serve": ([peers, str(HERE / "peers/ray_app.py"), bundle, precision, port], "/"),
    }  # fmt: skip


class Started:
    """A server in a group of processes of its own."""

    def __init__(self, command: list[str]) -> None:
        """Start it and wait until something listens."""
        environment = os.environ | {"PYTHONPATH": str(HERE.parent / "src")}
        self._process = subprocess.Popen(command, env=environment, start_new_session=True,
                                         stdout=subprocess.DEVNULL)  # fmt: skip
        while True:
            assert self._process.poll() is None, command
            try:
                socket.create_connection(("127.0.0.1", PORT)).close()
            except OSError:
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """End it and what it has started."""
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        time.sleep(2)


async def ask(path: str, bodies: list[bytes], kind: str, rates: list[float]) -> dict[str, Any]:
    """Return the answers a second, and what came of each rate."""
    headers = {"Content-Type": kind}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        sender = Sender(session, f"http://127.0.0.1:{PORT}{path}", bodies, 10.0)
        while await sender.send() != "200":  # noqa: ASYNC110  # it is another process
            await asyncio.sleep(0.5)
        found: dict[str, Any] = {"rate": await sender.answered_with(16)}
        for share, rate in zip(SHARES, rates, strict=False):
            step = await sender.run_at(rate, SECONDS, 0)
            found[f"{share:g} times"] = json.loads(step.model_dump_json())
            await asyncio.sleep(2)
    return found


def main() -> None:
    """Measure and write results/server_peers.json."""
    precision = sys.argv[1] if sys.argv[1:] else "fp32"
    data = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
    photos = [path.read_bytes() for path in sorted((data / "photos").glob("*.JPEG"))]
    in_json = [json.dumps({"image": base64.b64encode(p).decode()}).encode() for p in photos]
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_stand_in(Path(folder) / "x.bundle", find_architecture(MODEL))
        assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
        rates: list[float] = []
        for turn in range(ROUNDS):
            for name, (command, path) in list_commands(str(bundle.path), precision).items():
                server = Started(command)
                try:
                    bodies, kind = photos, "application/octet-stream"
                    if name == "LitServe":
                        bodies, kind = in_json, "application/json"
                    outcome = asyncio.run(ask(path, bodies, kind, rates))
                finally:
                    server.stop()
                if not rates:
                    rates = [share * outcome["rate"] for share in SHARES]
                    continue  # the first of ours only tells the rates
                found.setdefault(name, []).append(outcome)
                print(turn, name, json.dumps(outcome), flush=True)
    figures = {name: sum_up(outcomes) for name, outcomes in found.items()}
    write_result(
        "server_peers",
        f"{MODEL} {precision}, JPEG in, labels out, loopback, each server alone with the same "
        "engine: answers a second with 16 requests at a time, and under load",
        "python benchmarks/server_peers.py",
        {"rates": rates, "servers": figures},
    )


def sum_up(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians and spread over the rounds."""
    steps = [key for key in outcomes[0] if key != "rate"]
    return {
        "answers a second": summarise([each["rate"] for each in outcomes]),
        **{
            step: {
                "answered": summarise([each[step]["answered"] for each in outcomes]),
                "p50": summarise([each[step]["p50"] or 0 for each in outcomes]),
                "p99": summarise([each[step]["p99"] or 0 for each in outcomes]),
                "statuses": [each[step]["statuses"] for each in outcomes],
            }
            for step in steps
        },
        "median rate": statistics.median(each["rate"] for each in outcomes),
    }


if __name__ == "__main__":
    main()
