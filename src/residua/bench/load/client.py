"""Sending pictures to a server at a given rate, and what came of each.

The load is open: requests are due at moments that were drawn beforehand (a Poisson process), and
times count from there, so that a server that falls behind cannot slow its own clock down
(coordinated omission).
"""

import asyncio
import random
import statistics
from collections.abc import Callable, Iterator, Sequence

import aiohttp

from residua.base.errors import SettingError
from residua.bench.load.record import Step, summarise

Outcome = tuple[str, float, float]
Notify = Callable[[str], None]
_WARMING, _TRYING = 1.0, 3.0  # seconds with a number of requests under way, for the capacity
_AT_ONCE = (1, 2, 4, 8, 16, 32)
_SETTLING = 1.0  # seconds between two rates


class Sender:
    """One client of one server, with connections that are kept."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, pictures: Sequence[bytes], timeout: float
    ) -> None:
        """``timeout`` in seconds is how long an answer is waited for."""
        self._session = session
        self._url = url
        self._pictures = pictures
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._next = 0

    async def send(self) -> str:
        """Send the next picture; return the status, or "error"."""
        self._next += 1
        body = self._pictures[self._next % len(self._pictures)]
        try:
            async with self._session.post(self._url, data=body, timeout=self._timeout) as answer:
                await answer.read()
                return str(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return "error"

    async def check(self) -> None:
        """Send one picture. Raises SettingError with what went wrong where it is not answered."""
        try:
            async with self._session.post(
                self._url, data=self._pictures[0], timeout=self._timeout
            ) as answer:
                if answer.status == 200:
                    return
                said = f"{answer.status}, {(await answer.text())[:300]}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise SettingError(
                f"{self._url} does not answer: {error or type(error).__name__}.",
                next_step="Give the address of a running server: residua serve flowers.bundle",
            ) from error
        raise SettingError(
            f"{self._url} answers {said}",
            next_step="Give the whole address where it needs more: "
            "http://127.0.0.1:8000/v1/predict?model=NAME; a token with --token.",
        )

    async def run_at(self, rate: float, seconds: float, seed: int) -> Step:
        """Send ``rate`` requests a second for ``seconds`` and wait for the last answer."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        outcomes: list[Outcome] = []

        async def one(due: float) -> None:
            behind = loop.time() - due
            status = await self.send()
            outcomes.append((status, 1000 * (loop.time() - due), 1000 * behind))

        under_way: set[asyncio.Task[None]] = set()
        for moment in draw_arrivals(rate, seconds, seed):
            due = begun + moment
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            task = loop.create_task(one(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way)
        return summarise(rate, max(seconds, loop.time() - begun), outcomes)

    async def find_capacity(self, notify: Notify) -> float:
        """Return the answers a second with as many requests at a time as pay."""
        best = 0.0
        for count in _AT_ONCE:
            rate = await self.answered_with(count)
            notify(f"{count} at a time: {rate:.1f} answers a second")
            if rate < 1.05 * best:
                break
            best = max(best, rate)
        return max(best, rate)

    async def answered_with(self, count: int) -> float:
        """Return the answers a second with ``count`` requests at a time, over three seconds.

        The slope of their count over time: they come in batches, and a window of time would count
        one more or less.
        """
        loop = asyncio.get_running_loop()
        start = loop.time() + _WARMING
        end, moments = start + _TRYING, list[float]()

        async def ask() -> None:
            while loop.time() < end:
                if await self.send() == "200" and loop.time() >= start:
                    moments.append(loop.time())

        await asyncio.gather(*(ask() for _ in range(count)))
        if len(set(moments)) < 2:
            return 0.0
        return statistics.linear_regression(moments, range(len(moments))).slope


def draw_arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Yield the moments of a Poisson process of ``rate`` a second, below ``seconds``."""
    draws = random.Random(seed)  # noqa: S311  # no secret
    moment = draws.expovariate(rate)
    while moment < seconds:
        yield moment
        moment += draws.expovariate(rate)


async def run_steps(
    url: str,
    pictures: Sequence[bytes],
    rates: Sequence[float],
    *,
    seconds: float,
    timeout: float,
    headers: dict[str, str],
    seed: int,
    notify: Notify,
) -> tuple[float | None, list[Step]]:
    """Return the capacity, where ``rates`` are to follow from it (none given), and the steps."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        sender = Sender(session, url, pictures, timeout)
        await sender.check()
        capacity = None
        if not rates:
            capacity = await sender.find_capacity(notify)
            rates = [capacity * share for share in (0.1, 0.5, 0.8, 1.0, 2.0, 5.0)]
        steps = []
        for rate in rates:
            if rate <= 0:
                continue
            notify(f"{rate:.1f} a second for {seconds:g} s …")
            steps.append(await sender.run_at(rate, seconds, seed))
            await asyncio.sleep(_SETTLING)
        return capacity, steps
