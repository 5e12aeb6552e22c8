"""A real server process for tests, and the plain requests that they send."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Running:
    """``residua serve`` on loopback; ``log`` is where its standard error goes."""

    def __init__(
        self, log, *arguments, environment=None, ready=True, python=sys.executable, port=None,
        group=False,
    ):  # fmt: skip
        self.tls = None  # an ssl.SSLContext where it speaks TLS
        self.port, self.grpc_port, self.log = port or free_port(), free_port(), log
        command = [
            python, "-m", "residua", "serve", *map(str, arguments),
            "--port", str(self.port), "--grpc-port", str(self.grpc_port),
        ]  # fmt: skip
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                stderr=errors,
                env=os.environ | (environment or {}),
                start_new_session=group,
            )
        if ready:
            self.wait_until_ready()

    def wait_until_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said()
            try:
                if self.ask("GET", "/v2/health/ready").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.said())

    def ask(self, method, path, body=None, headers=None, timeout=30):
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=timeout, context=self.tls
            )
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def post_json(self, path, record, headers=None):
        return self.ask(
            "POST", path, json.dumps(record), {"Content-Type": "application/json"} | (headers or {})
        )

    def said(self):
        return self.log.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM, seconds=30):
        """End it; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def form(*files):
    """Return body and headers of a form with ``files``: (name, content)."""
    boundary = "between-the-parts"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n"
        for name, content in files
    ) + f"--{boundary}--\r\n".encode()  # fmt: skip
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
