"""A web server on 127.0.0.1 that serves bytes, and misbehaves as a test asks it to."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One path: its content and its manners. ``cuts`` and ``statuses`` are used up by requests."""

    body: bytes
    etag: str = '"one"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # close after so many bytes of the body
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    framing: str = "length"  # or "close", "chunked"
    content_range: str = ""  # said instead of the true one
    delay: float = 0.0
    hang: threading.Event | None = None  # set by the test to let the answer go
    stall: int | None = None  # hold the line after so many bytes of the body


class FileServer(ThreadingHTTPServer):
    """Serves ``files`` by path and keeps every request in ``requests``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def handle_error(self, request, client_address) -> None:
        """Clients that hang up are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers))
        self.close_connection = True
        served = self.server.files.get(self.path)
        if served is None:
            self.send_error(404)
            return
        if served.hang is not None:
            served.hang.wait(20)
        time.sleep(served.delay)
        if served.statuses:
            self.send_error(served.statuses.pop(0))
        elif served.redirect:
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(served, headers)

    def _send(self, served: Served, headers: dict[str, str]) -> None:
        start = 0
        wanted = headers.get("range", "")
        if served.ranges and wanted and headers.get("if-range", served.etag) == served.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start > len(served.body):
            self.send_error(416)
            return
        body, size = served.body[start:], len(served.body)
        self.send_response(206 if start else 200)
        if start:
            true_range = f"bytes {start}-{size - 1}/{size}"
            self.send_header("Content-Range", served.content_range or true_range)
        if served.etag:
            self.send_header("ETag", served.etag)
        if served.framing == "length":
            self.send_header("Content-Length", str(len(body)))
        elif served.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        cut = served.cuts.pop(0) if served.cuts else None
        sent = body[:cut]
        if served.stall is not None:
            self.wfile.write(sent[: served.stall])
            self.wfile.flush()
            time.sleep(20)
            return
        if served.framing == "chunked":
            self.wfile.write(f"{len(body):x}\r\n".encode() + sent)
            if cut is None:
                self.wfile.write(b"\r\n0\r\n\r\n")
        else:
            self.wfile.write(sent)


@contextlib.contextmanager
def serving() -> Iterator[FileServer]:
    """Run a server in a thread for the time of the block."""
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        for served in server.files.values():
            if served.hang is not None:
                served.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
