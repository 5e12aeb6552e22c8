"""Replicas on real clusters: the server's routes and refusals, replaced and killed under load."""

import asyncio
import json
import os
import signal
import socket
from dataclasses import replace

import aiohttp
import pytest

from making import make_bundle, save_noise
from residua.base.errors import SettingError
from residua.cluster.connect import connected
from residua.cluster.serve.bundles import place_models
from residua.cluster.serve.run import Scale, deploy, withdraw
from residua.cluster.storage import locate
from residua.predict.classifier import load
from residua.serve.settings import Settings

from .conftest import processes_named

pytest.importorskip("ray", reason="the extra cluster is not installed: make cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own code
]
REPLICA = "ray::ServeReplica:residua"


@pytest.fixture
def settings():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(port=port, engine="torch", tokens=("secret",), queue_images=16, max_images=16)


HEADERS = {"authorization": "Bearer secret"}


async def ask(session, url, data, **how):
    async with session.post(f"{url}/v1/predict", data=data, headers=HEADERS, **how) as answer:
        told = await answer.read()
        said = answer.content_type == "application/json"
        return answer.status, json.loads(told) if said else told.decode()


async def ask_until(url, data, stop, *, clients=4):
    """Ask from several clients until ``stop``; return each answer's status and record."""
    answers = []

    async def run(session):
        while not stop.is_set():
            try:
                answers.append(await ask(session, url, data))
            except aiohttp.ClientError as error:
                answers.append((type(error).__name__, None))

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(run(session) for _ in range(clients)))
    return answers


async def during(url, data, work, *, after=2):
    """Do ``work`` in a thread while clients ask, and a moment before and after (seconds)."""
    stop = asyncio.Event()
    asking = asyncio.create_task(ask_until(url, data, stop))
    await asyncio.sleep(1)
    await asyncio.to_thread(work)
    await asyncio.sleep(after)
    stop.set()
    return await asking


def best(record):
    return record["predictions"][0]["class_ids"][0]


def test_replicas_answer_refuse_and_are_replaced(bucket, nodes, settings, tmp_path):
    picture = save_noise(tmp_path / "picture.png")
    data = picture.read_bytes()
    bundles = [make_bundle(tmp_path / f"{seed}.bundle", widths=(8, 8, 8, 8), seed=seed)
               for seed in range(8)]  # fmt: skip
    expected = [
        next(load(b.path, engine="torch", threads=1).predict(str(picture))) for b in bundles
    ]
    second = next(n for n in range(1, 8) if expected[n].class_ids[0] != expected[0].class_ids[0])
    scale = Scale((2, 2), everywhere=False)
    with connected(nodes.add(cores=2, count=2).address) as cluster:
        models = place_models([f"net={bundles[0].path}"], locate(f"{bucket}/models"))
        url = deploy(models, settings, scale, cluster)
        asyncio.run(_look(url, data, expected[0]))
        with pytest.raises(SettingError, match=f"127.0.0.1:{settings.port} is listened at"):
            deploy(models, replace(settings, host="localhost", tokens=()), scale, cluster)

        # Others take their place while clients ask: not a request is lost.
        new = place_models([f"net={bundles[second].path}"], None)
        answers = asyncio.run(during(url, data, lambda: deploy(new, settings, scale, cluster)))
        assert {status for status, _ in answers} == {200}
        told = [best(record) for _, record in answers]
        assert told[0] == expected[0].class_ids[0]
        assert told[-1] == expected[second].class_ids[0]
        change = told.index(told[-1])
        assert set(told[:change]) == {told[0]}

        # One is killed: what it was answering fails, at once; all else is answered.
        def kill():
            os.kill(processes_named(REPLICA)[0], signal.SIGKILL)

        answers = asyncio.run(during(url, data, kill))
        failed = [status for status, _ in answers if status != 200]
        assert len(failed) <= 8, failed
        assert {best(record) for status, record in answers if status == 200} == {told[-1]}
        assert answers[-1][0] == 200

        # A machine is lost, with all that it has.
        def lose():
            nodes.lose(processes_named(REPLICA)[0])

        answers = asyncio.run(during(url, data, lose, after=8))
        failed = [status for status, _ in answers if status != 200]
        assert len(failed) <= 8, failed
        assert {best(record) for status, record in answers if status == 200} == {told[-1]}
        assert answers[-1][0] == 200
        assert withdraw()
        assert not withdraw()


async def _look(url, data, expected):
    async with aiohttp.ClientSession() as session:
        status, record = await ask(session, url, data)
        assert (status, record["predictions"][0]["class_ids"]) == (200, expected.class_ids)
        assert record["predictions"][0]["scores"] == pytest.approx(expected.scores, abs=1e-5)
        status, record = await ask(session, url, b"no picture")
        assert (status, record["predictions"][0]["reason"]) == (415, "not-an-image")
        async with session.post(f"{url}/v1/predict", data=data) as answer:
            assert answer.status == 401
        async with session.get(f"{url}/v2/models/net", headers=HEADERS) as answer:
            assert (await answer.json())["name"] == "net"
        async with session.get(f"{url}/healthz") as answer:
            assert await answer.json() == {"ready": True}
        # More than the house of either replica holds is refused by the replica, at once.
        body = aiohttp.MultipartWriter("form-data")
        asked = [ask(session, url, data) for _ in range(200)]
        statuses = [status for status, _ in await asyncio.gather(*asked)]
        assert set(statuses) <= {200, 429}
        assert statuses.count(429) > 0, body
        assert statuses.count(200) >= 16
