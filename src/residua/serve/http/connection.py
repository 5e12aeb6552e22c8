"""A connection whose requests must begin, whose headers must end in time, and are not without end.

uvicorn has a limit for none of these: idle connections could take every place, and headers all
memory.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_UPGRADE = re.compile(rb"\r\nUpgrade:", re.IGNORECASE)
HEADER_SECONDS = 15.0
HEADER_BYTES = 65_536  # the address included
_GO_ON = b"HTTP/1.1 100 "  # the client waits for it before it sends the body


def _decline_upgrade(data: bytes) -> bytes:
    """Return ``data`` without the wish for another protocol, as RFC 9110 (7.8) lets a server do.

    The parser would take what follows for that protocol; Java's client wishes for HTTP/2 with
    every first request.
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    if not _UPGRADE.search(head):
        return data
    return _UPGRADE.sub(b"\r\nIgnored:", head) + data[len(head) :]


class _Joining:
    """A transport that writes an answer's head and body at once: uvicorn gives them one by one."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self._soon: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep a head until the body comes, within this turn of the loop."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and not data.startswith(_GO_ON):
            self._head = data
            self._soon = self._loop.call_soon(self._flush)
        else:
            self._flush(data)

    def close(self) -> None:
        """Write what is kept, then close."""
        self._flush()
        self._transport.close()

    def _flush(self, data: bytes = b"") -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        data, self._head = self._head + data, b""
        if data:
            self._transport.write(data)


class Connection(HttpToolsProtocol):
    """uvicorn's connection, closed where headers do not come, and refused (400) where too many.

    ``told`` hears of every request that is refused here, where no route ever sees it.
    """

    told: Callable[[], None] = staticmethod(lambda: None)
    _patience: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _pending = 0  # bytes of headers that have not ended
    _heads = 0  # headers that have ended
    _in_head = False
    _no_http = ""  # what came behind a request that is still answered

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request, not forever."""
        joining: Any = _Joining(transport, self.loop)  # a transport to all that uvicorn asks of it
        super().connection_made(joining)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what has come of headers that have not ended is counted by its pieces too."""
        if self._no_http:
            return
        before_body, heads = self._in_head or not self._reads_body, self._heads
        super().data_received(_decline_upgrade(data) if before_body else data)
        if self.transport.is_closing():
            return
        if before_body and heads == self._heads:
            self._pending += len(data)  # all of it is of headers that have not ended yet
            if self._pending > HEADER_BYTES:
                self.send_400_response("Too many headers.")
        if self._patience is None and not self._answers:
            self._wait()  # bytes that begin no request have ended uvicorn's own patience

    @property
    def _reads_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    @property
    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_message_begin(self) -> None:
        """The headers of a request have begun; while another is answered nothing is read."""
        self._in_head = True
        if not self._answers:
            self._wait()
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address has come."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """They have ended; the body is the gate's."""
        self._in_head = False
        self._rest()
        self._pending, self._heads = 0, self._heads + 1
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request is answered; the next may have begun already."""
        super().on_response_complete()
        if self._no_http and not self._answers and not self.transport.is_closing():
            self.send_400_response(self._no_http)
        elif self._in_head and not self._answers:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, after the answers to what came before it."""
        if self._answers and not self._reads_body:
            self._no_http = msg
            return
        self.told()
        super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            raise ValueError("too many headers")  # the parser stops, and uvicorn answers 400

    def _wait(self) -> None:
        self._rest()
        self._patience = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
