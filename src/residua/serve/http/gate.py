"""What stands before every HTTP route: tokens, sizes, slow and departed clients, figures.

A request that is refused here has been neither parsed nor, where its header tells, read. The body
is taken whole and counted as it comes in; the routes find it complete. When a client leaves, what
is done for it is cancelled.
"""

import asyncio
import logging
import time
from urllib.parse import quote

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from residua.base.clock import spell_bytes
from residua.serve.admission.house import Luggage
from residua.serve.core import Core, let_in
from residua.serve.refusals import Kind, Refusal, spell_http

_LOG = logging.getLogger("residua.access")
_OPEN = ("/", "/v2/health/live", "/v2/health/ready", "/healthz", "/favicon.ico")
_ADMIN = "/v2/repository/models/"


class Gate:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, core: Core) -> None:
        """``app`` gets what is let through."""
        self._app = app
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, told = time.perf_counter(), _Told(send)
        try:
            await self._pass(scope, receive, told)
        except Refusal as refusal:
            await self._refuse(scope, told, refusal)
        except asyncio.CancelledError:  # uvicorn ends what was not done within the grace
            await self._refuse(scope, told, Refusal(Kind.UNAVAILABLE, "The server has stopped."))
        except Exception:  # noqa: BLE001  # ours: the application has answered 500 already
            _LOG.exception("%s failed", scope["path"][:200])
            failed = Refusal(Kind.INTERNAL, "The server failed on this request.")
            await self._refuse(scope, told, failed)
        finally:
            self._note(scope, told.status, time.perf_counter() - begun)

    async def _refuse(self, scope: Scope, told: "_Told", refusal: Refusal) -> None:
        self._core.metrics.rejected.labels(refusal.kind.reason).inc()
        told.status = refusal.kind.http
        if not told.started and refusal.kind is not Kind.LEFT:
            record, headers = spell_http(refusal, scope["path"])
            await JSONResponse(record, refusal.kind.http, headers)(scope, _no_more, told)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._core.settings
        headers = {key.decode("latin-1"): value for key, value in scope["headers"]}
        authorization = headers.get("authorization", b"")
        path = scope["path"]
        if not _is_open(path, self._core):
            client = (scope.get("client") or ("",))[0]
            let_in(authorization, client, self._core, admin=path.startswith(_ADMIN))
        if headers.get("content-encoding", b"identity").lower() not in {b"", b"identity"}:
            raise Refusal(Kind.ENCODED, "Compressed bodies are not read; pictures are compressed.")
        declared = headers.get("content-length", b"0")
        with self._core.house.admit_bytes() as luggage:
            if declared.isdigit():
                _refuse_too_large(int(declared), settings.max_body)
                luggage.ask(int(declared))
            try:
                async with asyncio.timeout(settings.body_timeout):
                    body = await read_body(receive, settings.max_body, luggage)
            except TimeoutError:
                raise Refusal(
                    Kind.SLOW_BODY, f"The body took more than {settings.body_timeout:g} s."
                ) from None
            await run_while_connected(self._app, scope, body, receive, send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._core.metrics.requests.labels("http", route, str(status)).inc()
        self._core.metrics.seconds.labels("http", route).observe(seconds)
        client = (scope.get("client") or ("",))[0]
        _LOG.info(
            "%s %s %d", scope["method"], quote(scope["path"][:200]), status,
            extra={"client": client, "status": status, "milliseconds": round(1000 * seconds, 1)},
        )  # fmt: skip


async def _no_more() -> Message:
    """Answer whoever asks for more of a request that is refused."""
    return {"type": "http.disconnect"}


class _Told:
    """Passes an answer on and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
        await self._send(message)


def _is_open(path: str, core: Core) -> bool:
    """Tell whether anyone may ask for ``path``."""
    return path in _OPEN or (path == "/metrics" and core.settings.open_metrics)


def _refuse_too_large(size: int, most: int) -> None:
    if size > most:
        raise Refusal(
            Kind.TOO_LARGE,
            f"A body of {size:,} bytes; the limit is {most:,} ({spell_bytes(most)}).",
        )


async def read_body(receive: Receive, most: int, luggage: Luggage) -> bytes:
    """Return the whole body, counted as it comes in. Raises Refusal."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(Kind.LEFT, "The client has left.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _refuse_too_large(size, most)
        luggage.grow(size)
        if not message.get("more_body", False):
            return b"".join(parts)


async def run_while_connected(
    app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send
) -> None:
    """Run ``app`` with the whole body; cancel it when the client leaves. Raises Refusal then."""
    given = False
    gone = asyncio.Event()

    async def hand_over() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    answering = asyncio.ensure_future(app(scope, hand_over, send))
    watching = asyncio.ensure_future(watch())
    try:
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
            await asyncio.wait({answering})
            raise Refusal(Kind.LEFT, "The client has left.")
        await answering
    finally:
        watching.cancel()
        if not answering.done():
            answering.cancel()
