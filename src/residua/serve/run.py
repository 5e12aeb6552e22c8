"""One process that serves HTTP and gRPC, and how it starts and stops.

It listens at once, says that it is not ready while the models load, and then that it is. SIGTERM or
Ctrl-C: not ready any more, for ``drain_delay`` seconds requests are still taken, then no more; what
was accepted is answered, within ``grace`` seconds. A second signal ends it at once.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import uvicorn

from residua.base.errors import SettingError
from residua.serve.app import make_app
from residua.serve.core import Core, make_core
from residua.serve.http.connection import Connection
from residua.serve.listening import bind
from residua.serve.memory import give_back_memory
from residua.serve.models.repository import Place, watching
from residua.serve.protocol.servicer import Servicer
from residua.serve.refusals import Kind
from residua.serve.settings import Settings
from residua.serve.workers import tell_ready

_LOG = logging.getLogger("residua.serve")
_KEEP_ALIVE = 65  # seconds, longer than the proxies before it (Envoy, nginx: 60)
_CONNECTIONS = 2048


class _Server(uvicorn.Server):
    """uvicorn, whose signals are handled here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(places: list[Place], settings: Settings, *, reuse_port: bool = False) -> None:
    """Serve until a signal comes. ``reuse_port`` lets several processes listen together.

    Such a one listens only when it is ready: the others answer meanwhile.

    Raises what loading the first model that fails raises, SettingError where a port is taken.
    """
    give_back_memory()
    core = make_core(places, settings)
    http = _make_http(core)
    stopping = asyncio.Event()
    _on_signals(stopping, insisting=not reuse_port)
    if reuse_port:
        await _load(core, stopping)
        if stopping.is_set():  # nobody shall come to one that was never ready
            core.answerer.close()
            return
    listening = bind(settings.host, settings.port, reuse_port=reuse_port)
    rpc = _make_rpc(core, reuse_port=reuse_port)
    answering = asyncio.create_task(http.serve([listening]))
    answering.add_done_callback(lambda _: stopping.set())  # whatever ended it
    if rpc is not None:
        await rpc.start()
    try:
        if not reuse_port:
            await _load(core, stopping)
        if not stopping.is_set():
            gc.collect()
            gc.freeze()  # what is there now stays: no request waits while it is gone through again
            tell_ready()
            _LOG.info("ready: %s", _spell_address(settings, listening.getsockname()[1]))
        async with watching(core.repository) if settings.watch else contextlib.nullcontext():
            await stopping.wait()
        core.draining = True
        _LOG.info("stopping: what was accepted is answered")
        await asyncio.sleep(settings.drain_delay)
    finally:
        http.should_exit = True  # it waits for the requests that it has accepted
        closing = [answering] if rpc is None else [answering, rpc.stop(settings.grace)]
        await asyncio.gather(*closing)
        core.answerer.close()


def leave() -> None:
    """End the process, although a thread may still decode what nobody waits for any more.

    Python would wait for it, for longer than ``grace`` allows.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _load(core: Core, stopping: asyncio.Event) -> None:
    """Load all models, unless the server is stopped meanwhile."""
    loading = asyncio.create_task(core.repository.load_all())
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not loading.done():
        loading.cancel()
        return
    await loading


def _on_signals(stopping: asyncio.Event, *, insisting: bool) -> None:
    """Stop at SIGTERM and Ctrl-C; at the second at once, if ``insisting``.

    A worker has each twice, of the terminal or the service manager and of its parent.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set() and insisting:
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _make_http(core: Core) -> uvicorn.Server:
    settings = core.settings
    tls: dict[str, Any] = {}
    if settings.certificate and settings.private_key:
        tls = {"ssl_certfile": settings.certificate, "ssl_keyfile": settings.private_key}
    config = uvicorn.Config(
        make_app(core), log_config=None, access_log=False, server_header=False, lifespan="off",
        timeout_keep_alive=_KEEP_ALIVE, timeout_graceful_shutdown=int(settings.grace) + 1,
        limit_concurrency=_CONNECTIONS, backlog=_CONNECTIONS, http=_make_connection(core),
        proxy_headers=False, **tls,
    )  # fmt: skip
    return _Server(config)


def _make_connection(core: Core) -> type[Connection]:
    """Return the class of the connections, whose refusals are counted."""
    refused = core.metrics.rejected.labels(Kind.INVALID.reason)

    class Counted(Connection):
        told = staticmethod(refused.inc)

    return Counted


def _make_rpc(core: Core, *, reuse_port: bool) -> grpc.aio.Server | None:
    settings = core.settings
    if settings.grpc_port is None:
        return None
    options = [
        ("grpc.max_receive_message_length", settings.max_body),
        ("grpc.max_send_message_length", settings.max_body),
        ("grpc.so_reuseport", int(reuse_port)),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((Servicer(core).make_handler(),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    try:
        if settings.certificate and settings.private_key:
            pair = (settings.private_key.read_bytes(), settings.certificate.read_bytes())
            server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        else:
            server.add_insecure_port(address)
    except RuntimeError as error:
        raise SettingError(
            f"{address} cannot be listened on.", next_step="Choose another --grpc-port, or 0."
        ) from error
    return server


def _spell_address(settings: Settings, port: int) -> str:
    scheme = "https" if settings.certificate else "http"
    said = f"{scheme}://{settings.host}:{port}"
    return said if settings.grpc_port is None else f"{said} and gRPC on port {settings.grpc_port}"
