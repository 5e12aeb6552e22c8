"""Load tests: arrivals at the rate that was asked for, times from when each was due."""

import asyncio
import statistics
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

web = pytest.importorskip("aiohttp.web")

from typer.testing import CliRunner  # noqa: E402

from making import save_noise  # noqa: E402
from residua.base.errors import SettingError  # noqa: E402
from residua.bench.load.client import draw_arrivals, run_steps  # noqa: E402
from residua.bench.load.picture import draw_load  # noqa: E402
from residua.bench.load.record import LoadTest, Step, spell_table, summarise  # noqa: E402
from residua.cli.main import app  # noqa: E402


def test_arrivals_are_a_poisson_process():
    moments = list(draw_arrivals(100, 50, 0))
    gaps = [b - a for a, b in pairwise(moments)]
    assert len(moments) == pytest.approx(5000, rel=0.05)  # 3.5 standard deviations
    assert statistics.mean(gaps) == pytest.approx(0.01, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(0.01, rel=0.1)  # exponential: both alike
    assert list(draw_arrivals(100, 50, 0)) == moments


def test_a_step_is_summed_up():
    outcomes = [("200", float(ms), 0.5) for ms in range(1, 101)] + [("429", 1.0, 0.0)] * 20
    step = summarise(12.0, 10.0, outcomes)
    assert (step.sent, step.answered, step.statuses) == (120, 10.0, {"200": 100, "429": 20})
    assert (step.p50, step.greatest) == (50.5, 100.0)
    assert step.p99 == pytest.approx(99, abs=0.1)
    empty = summarise(5.0, 1.0, [("error", 3.0, 0.0)])
    assert empty.p50 is None


def serve_slowly(seconds, *, limit=10**6):
    """Return a server that answers one request after the other, and refuses beyond ``limit``."""
    lock, waiting = asyncio.Lock(), []

    async def answer(request):
        body = await request.read()
        if len(waiting) >= limit:
            return web.Response(status=429)
        waiting.append(body)
        async with lock:
            await asyncio.sleep(seconds)
        waiting.pop()
        return web.json_response({"bytes": len(body)})

    application = web.Application()
    application.router.add_post("/v1/predict", answer)
    return application


async def measure(application, rates, seconds, timeout=5.0):
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        return await run_steps(
            f"http://127.0.0.1:{port}/v1/predict", [b"a", b"bb"], rates, seconds=seconds,
            timeout=timeout, headers={}, seed=0, notify=lambda _: None,
        )  # fmt: skip
    finally:
        await runner.cleanup()


def test_times_count_from_when_a_request_was_due():
    """Twice what it can: by the end of a second, requests have waited for most of one."""
    _, [step] = asyncio.run(measure(serve_slowly(0.02), [100.0], 1.0))
    assert step.statuses == {"200": step.sent}
    assert step.p99 > 300


def test_refusals_are_counted_and_times_are_of_the_answered_ones():
    _, [step] = asyncio.run(measure(serve_slowly(0.02, limit=2), [100.0], 1.0))
    assert set(step.statuses) == {"200", "429"}
    assert step.p99 < 300


def test_without_rates_they_follow_from_the_capacity():
    capacity, steps = asyncio.run(measure(serve_slowly(0.02), [], 0.5))
    assert 20 < capacity <= 51
    assert [step.offered for step in steps][-1] == pytest.approx(5 * capacity, abs=0.01)


def test_the_table_and_the_picture():
    steps = [
        Step(offered=10, seconds=5, sent=50, answered=10, statuses={"200": 50},
             p50=5, p95=7, p99=9),
        Step(offered=99, seconds=5, sent=500, answered=60, statuses={"200": 300, "429": 200},
             p50=50, p95=70, p99=90),
    ]  # fmt: skip
    test = LoadTest(url="http://x", pictures=3, mean_bytes=5, capacity=60,
                    machine={"processor": "a <b>"}, steps=tuple(steps))  # fmt: skip
    assert "200 x 429" in spell_table(test)
    drawn = ET.fromstring(draw_load(test))  # noqa: S314  # our own
    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert "99" in texts


def invoke(*arguments):
    return CliRunner().invoke(app, ["loadtest", *map(str, arguments)])


def test_a_server_that_is_not_there_is_said_at_once(tmp_path):
    photo = save_noise(tmp_path / "a.jpg")
    for address in ("http://127.0.0.1:9", "127.0.0.1:9", "ftp://127.0.0.1/x"):
        found = invoke(address, photo, "--rates", 5, "--seconds", 0.1)
        assert isinstance(found.exception, SettingError), found.output
        assert "does not answer" in str(found.exception)


def test_what_the_server_says_is_told():
    async def refuse(_):
        return web.json_response({"error": "Several models are served; name one."}, status=400)

    application = web.Application()
    application.router.add_post("/v1/predict", refuse)
    with pytest.raises(SettingError, match=r"answers 400, .*Several models"):
        asyncio.run(measure(application, [5.0], 0.1))


def test_a_picture_of_another_kind_is_refused(tmp_path):
    found = invoke("http://127.0.0.1:9", save_noise(tmp_path / "a.jpg"), "--picture", "load.png")
    assert "SVG" in str(found.exception)


def test_a_rate_that_is_none_is_refused(tmp_path):
    found = invoke("http://127.0.0.1:9", save_noise(tmp_path / "a.jpg"), "--rates", "20", "0")
    assert "--rates 0: requests a second are more than 0." in str(found.exception)
