"""A connection whose requests must begin and whose headers must end in time.

uvicorn waits without end for both, so that idle connections could take every place.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 15.0


class Connection(HttpToolsProtocol):
    """uvicorn's connection, closed where headers do not come."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request, not forever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._rest()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The headers of a request have begun."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """They have ended; the body is the gate's."""
        self._rest()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._rest()
        self._patience = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
