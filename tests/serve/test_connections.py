"""Connections that dawdle, break off, or say what is no HTTP: each costs nobody else anything."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import time

import grpc
import pytest
import uvicorn

from residua.base.errors import SettingError
from residua.serve.http import connection
from residua.serve.listening import bind
from residua.serve.protocol.messages import SERVICE, message_class
from residua.serve.settings import Settings, check_settings

trustme = pytest.importorskip("trustme")


def read_figure(server, name):
    figures = server.ask("GET", "/metrics").body.decode()
    return sum(float(x.rpartition(" ")[2]) for x in figures.splitlines() if x.startswith(name))


def wait_for(check, seconds=10):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestSlowHeaders:
    """uvicorn with our connection in this process, its patience shortened."""

    @pytest.fixture
    def ask(self, monkeypatch):
        monkeypatch.setattr(connection, "HEADER_SECONDS", 0.3)

        async def app(scope, receive, send):
            if scope["path"] == "/slow":
                await asyncio.sleep(0.8)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"good"})

        def ask(*parts, pause=0.0):
            async def run():
                config = uvicorn.Config(
                    app, http=connection.Connection, lifespan="off", log_config=None
                )
                server, listening = uvicorn.Server(config), bind("127.0.0.1", 0)
                serving = asyncio.create_task(server.serve([listening]))
                while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
                    await asyncio.sleep(0.01)
                reader, writer = await asyncio.open_connection(*listening.getsockname())
                with contextlib.suppress(ConnectionError):  # closed on us, as it should
                    for part in parts:
                        writer.write(part)
                        await asyncio.sleep(pause)
                answer = b""
                with contextlib.suppress(ConnectionError):
                    answer = await asyncio.wait_for(reader.read(), 20)
                writer.close()
                server.should_exit = True
                await serving
                return answer

            return asyncio.run(run())

        return ask

    def test_a_connection_that_says_nothing_is_closed(self, ask):
        assert ask() == b""  # uvicorn alone waits without end: ask would be out of time

    def test_headers_that_come_bit_by_bit_do_not_hold_it_open(self, ask):
        answer = ask(b"GET / HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 8, pause=0.1)
        assert answer == b""

    def test_a_header_without_end_is_refused_before_it_is_joined(self, ask, monkeypatch):
        monkeypatch.setattr(connection, "HEADER_SECONDS", 60)  # it is not closed for its slowness
        answer = ask(b"GET / HTTP/1.1\r\nX-A: ", *[b"a" * 20_000] * 20)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")  # what was unread may reset it

    def test_a_body_and_the_next_request_in_one_piece_are_no_headers(self, ask):
        first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"b" * 200_000
        second = b"GET / HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"
        answer = ask(first + second[0], second[1], pause=0.05)
        assert answer.count(b"HTTP/1.1 200") == 2

    def test_bytes_after_an_answer_do_not_hold_it_open(self, ask):
        """uvicorn ends its patience for the next request with any byte."""
        answer = ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", pause=0.1)
        assert answer.count(b"HTTP/1.1 200") == 1

    def test_headers_behind_a_request_that_is_answered_slowly_are_not_slow(self, ask):
        slow, half = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHo"
        answer = ask(slow + half, b"st: x\r\nConnection: close\r\n\r\n", pause=0.1)
        assert answer.count(b"HTTP/1.1 200") == 2

    def test_what_is_no_http_behind_a_request_costs_that_no_answer(self, ask):
        answer = ask(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n\x00\x00garbage", b"more", pause=0.1)
        first, second = answer.index(b"HTTP/1.1 200"), answer.index(b"HTTP/1.1 400")
        assert first < answer.index(b"good") < second

    def test_what_comes_in_time_is_answered(self, ask):
        answer = ask(b"GET / HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n", pause=0.1)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"good" in answer


ODD = [
    b"",
    b"\x00" * 1000,
    b"GET\r\n\r\n",
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nabcde",
    b"POST /v1/predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v1/predict HTTP/1.1\r\nHost: \xff\xfe\r\nContent-Length: 1\r\n\r\n\xff",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /v2/models/%2e%2e%2f%2e%2e%2fetc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\xff\xff\xff\xff",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS where there is none
]


@pytest.mark.parametrize("port", ["port", "grpc_port"])
@pytest.mark.parametrize("half_closed", [True, False])
@pytest.mark.parametrize("sent", ODD, ids=range(len(ODD)))
def test_odd_beginnings_are_refused_or_closed(server, sent, half_closed, port):
    with socket.create_connection(("127.0.0.1", getattr(server, port)), timeout=2) as client:
        try:
            client.sendall(sent)
            if half_closed:
                client.shutdown(socket.SHUT_WR)
            answer = client.recv(65536)
        except OSError:  # closed, or still waiting for more, as it may
            answer = b""
    if answer.startswith(b"HTTP/1.1 "):
        assert answer[9:10] == b"4", answer[:200]
    assert server.process.poll() is None
    assert server.ask("GET", "/v2/health/live").status == 200


def test_what_is_no_http_is_counted(server):
    name = 'residua_rejected_total{reason="invalid"}'
    before = read_figure(server, name)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"\x00" * 10)
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert read_figure(server, name) == before + 1


def test_half_closed_clients_are_forgotten(server, photo):
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo)}\r\n\r\n"
    clients = []
    for sent in (photo, photo[:100]) * 10:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        client.sendall(head.encode() + sent)
        client.shutdown(socket.SHUT_WR)
        clients.append(client)
    for client in clients:  # an answer or none, but the end
        while client.recv(65536):
            pass
        client.close()
    wait_for(lambda: read_figure(server, "residua_bytes_in_flight") == 0)
    assert server.ask("POST", "/v1/predict", photo).status == 200


def test_a_body_that_never_ends_does_not_hold_up_the_stop(start, served_bundle):
    server = start(served_bundle.path, "--engine", "openvino", "--threads", "1", "--grace", "0")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nhalf")
        wait_for(lambda: read_figure(server, "residua_bytes_in_flight") > 0)
        assert server.stop() == 0
        assert b" 503 " in client.recv(65536)
    said = server.said()
    assert "Traceback" not in said
    assert "POST /v1/predict 503" in said


def test_a_wish_for_another_protocol_is_not_heeded(server, photo):
    """Java's client wishes for HTTP/2 with its first request, and sends the body all the same."""
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        f"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nContent-Length: {len(photo)}"
        "\r\nUpgrade: h2c\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        for pieces in ([head + photo], [head, photo], [head[:-2], head[-2:], photo]):
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.05)
            answer = b""
            while b"predictions" not in answer:
                answer += client.recv(65536)
                assert answer
            assert answer.startswith(b"HTTP/1.1 200"), answer


def test_a_thread_that_still_works_does_not_hold_up_the_end():
    script = (
        "import threading, time\nfrom residua.serve.run import leave\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\nleave()"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 0


def make_call(channel):
    return channel.unary_unary(
        f"/{SERVICE}/ModelInfer",
        request_serializer=lambda message: message,
        response_deserializer=message_class("ModelInferResponse").FromString,
    )


def make_question(photos):
    tensor = {
        "name": "image", "datatype": "BYTES", "shape": [len(photos)],
        "contents": {"bytes_contents": photos},
    }  # fmt: skip
    message = message_class("ModelInferRequest")(model_name="net", inputs=[tensor])
    return message.SerializeToString()


def test_a_grpc_call_that_is_cancelled_leaves_nothing_behind(server, photos):
    left = read_figure(server, 'residua_rejected_total{reason="left"}')
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for _ in range(20):
            call = make_call(channel).future(make_question(photos * 4))
            time.sleep(0.01)
            call.cancel()
        wait_for(lambda: read_figure(server, 'residua_rejected_total{reason="left"}') > left)
        wait_for(lambda: read_figure(server, "residua_images_in_flight") == 0)
        assert len(make_call(channel)(make_question(photos)).raw_output_contents) == 1
    wait_for(lambda: read_figure(server, "residua_bytes_in_flight") == 0)


def test_a_grpc_call_without_its_token_is_refused_before_its_message(start, served_bundle):
    server = start(served_bundle.path, "--threads", "1", environment={"RESIDUA_TOKENS": "alpha"})
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.stream_unary(f"/{SERVICE}/ModelInfer")

        def never():
            time.sleep(60)
            yield b""

        with pytest.raises(grpc.RpcError) as caught:  # one that waited would be out of time
            call(never(), timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_calls_without_a_message_hold_nobody_up(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        end = threading.Event()

        def never():
            end.wait(60)
            yield b""

        held = [
            channel.stream_unary(f"/{SERVICE}/{method}").future(never())
            for method in ("ServerLive", "ModelInfer")
            for _ in range(80)
        ]
        live = channel.unary_unary(f"/{SERVICE}/ServerLive")
        live(b"", timeout=15)  # a message may take 20
        end.set()
        for call in held:
            call.cancel()


@pytest.mark.parametrize("broken", ["missing", "garbage"])
def test_tls_without_its_files_is_refused_at_the_start(tmp_path, broken):
    pair = tmp_path / "cert.pem", tmp_path / "key.pem"
    if broken == "garbage":
        for path in pair:
            path.write_text("none")
    with pytest.raises(SettingError, match=r"cert\.pem"):
        check_settings(Settings(certificate=pair[0], private_key=pair[1]))


def test_tls_on_both_ports(start, served_bundle, photo, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    server = start(
        served_bundle.path, "--threads", "1", "--certificate", tmp_path / "cert.pem",
        "--private-key", tmp_path / "key.pem", ready=False,
    )  # fmt: skip
    server.tls = ssl.create_default_context()
    authority.configure_trust(server.tls)
    server.wait_until_ready()
    assert server.ask("POST", "/v1/predict", photo).status == 200
    assert f"https://127.0.0.1:{server.port}" in server.said()
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
        assert len(make_call(channel)(make_question([photo])).raw_output_contents) == 1
    with socket.create_connection(("127.0.0.1", server.port), 5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = plain.recv(100)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"HTTP")
