"""Ten minutes of mixed load on a server: whether its memory stays flat and nothing is lost.

    RESIDUA_TEST_DATA=FOLDER python benchmarks/server_soak.py [--minutes 10]

At random moments, at 0.6 of the capacity: photos, forms of several, bad images, clients that leave
in the middle. The model is loaded again every minute. The memory is read every second.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from recording import RESULTS, write_result
from residua.bench.load.client import Sender, draw_arrivals
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture
from server import Server

_SHARE = 0.6  # of the capacity
_LEAVES = 0.05  # of the requests, whose client is gone after a few milliseconds
_BAD = 0.1
_SEVERAL = 0.05


class Soak:
    """A mixture of requests, and what came of each."""

    def __init__(self, session: aiohttp.ClientSession, url: str, data: Path) -> None:
        """``data`` has photos/ and bad-images/."""
        self._session, self._url = session, url
        self._good = [path.read_bytes() for path in sorted((data / "photos").glob("*.JPEG"))]
        bad = sorted((data / "bad-images").iterdir())
        self._bad = [path.read_bytes() for path in bad if path.stat().st_size]
        self._draw = random.Random(0)  # noqa: S311  # no secret
        self.outcomes: Counter[str] = Counter()

    async def one(self) -> None:
        """Send one request of the mixture."""
        draw, kind, patience = self._draw.random(), "photo", 10.0
        body: Any = self._draw.choice(self._good)
        if draw < _LEAVES:
            kind, patience = "leaves", self._draw.uniform(0.001, 0.03)
        elif draw < _LEAVES + _BAD:
            kind, body = "bad", self._draw.choice(self._bad)
        elif draw < _LEAVES + _BAD + _SEVERAL:
            kind, body = "form", aiohttp.FormData()
            for number in range(4):
                photo = self._draw.choice(self._good)
                body.add_field(f"{number}", photo, filename=f"{number}.jpg")
        try:
            timeout = aiohttp.ClientTimeout(total=patience)
            async with self._session.post(
                f"{self._url}/v1/predict", data=body, timeout=timeout
            ) as answer:
                await answer.read()
                self.outcomes[f"{kind} {answer.status}"] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.outcomes[f"{kind} no answer"] += 1

    async def reload(self) -> None:
        """Load the model again."""
        address = f"{self._url}/v2/repository/models/x/load"
        headers = {"Authorization": "Bearer root"}
        async with self._session.post(address, headers=headers) as answer:
            self.outcomes[f"reload {answer.status}"] += 1


async def soak(server: Server, data: Path, seconds: float) -> dict[str, Any]:
    """Return what came of the requests, and the memory over time."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        work = Soak(session, server.url, data)
        photos = [path.read_bytes() for path in sorted((data / "photos").glob("*.JPEG"))]
        capacity = await Sender(session, f"{server.url}/v1/predict", photos, 10).answered_with(16)
        loop, tasks, memory = asyncio.get_running_loop(), set[asyncio.Task[None]](), list[float]()
        begun, reloaded = loop.time(), loop.time()
        for moment in draw_arrivals(_SHARE * capacity, seconds, 0):
            await asyncio.sleep(max(0.0, begun + moment - loop.time()))
            tasks.add(task := loop.create_task(work.one()))
            task.add_done_callback(tasks.discard)
            if len(memory) < moment:
                memory.append(server.memory())
            if loop.time() > reloaded + 60:
                reloaded = loop.time()
                tasks.add(task := loop.create_task(work.reload()))
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
    third = len(memory) // 3
    line = statistics.linear_regression(range(len(memory) - third), memory[third:])
    return {
        "capacity": round(capacity, 1),
        "seconds": round(loop.time() - begun),
        "outcomes": dict(sorted(work.outcomes.items())),
        "megabytes, median of each minute": [
            round(statistics.median(memory[start : start + 60]))
            for start in range(0, len(memory), 60)
        ],
        "megabytes a minute over the last two thirds": round(60 * line.slope, 2),
        "most megabytes": round(max(memory)),
    }


def main() -> None:
    """Measure and write results/server_soak.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    data = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
    os.environ["RESIDUA_ADMIN_TOKENS"] = "root"
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_stand_in(Path(folder) / "x.bundle", find_architecture("ResNet18"))
        assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
        server = Server(bundle.path, "fp32")
        try:
            found = asyncio.run(soak(server, data, 60 * minutes))
            time.sleep(2)
            found["megabytes two seconds after the end"] = round(server.memory())
        finally:
            server.stop()
    write_result(
        "server_soak",
        f"ResNet18 behind residua serve for {minutes:g} minutes: photos, forms, bad images, "
        "clients that leave, a reload every minute",
        "python benchmarks/server_soak.py",
        found,
    )


if __name__ == "__main__":
    main()
