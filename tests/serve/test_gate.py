"""Tokens, sizes, slow and departed clients."""

import asyncio
import socket
import time

import pytest

from making import save_noise
from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.pixels.limits import Limits
from residua.predict import remote
from residua.serve.answering import pictures
from residua.serve.http.gate import run_while_connected
from residua.serve.metrics import Metrics
from residua.serve.refusals import Kind, Refusal
from residua.serve.settings import Settings, check_settings


@pytest.fixture(scope="module")
def guarded(start, served_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "users.txt").write_text("alpha\nbeta\n")
    (folder / "admins.txt").write_text("root\n")
    return start(
        served_bundle.path, "--engine", "openvino", "--threads", "1", "--max-body", "1",
        "--max-images", "2", "--max-pixels", "1", "--token-file", folder / "users.txt",
        "--admin-token-file", folder / "admins.txt",
    )  # fmt: skip


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_tokens_open_the_routes(guarded, photo):
    assert guarded.ask("POST", "/v1/predict", photo).status == 401
    assert guarded.ask("POST", "/v1/predict", photo, bearer("gamma")).status == 401
    assert guarded.ask("POST", "/v1/predict", photo, {"Authorization": "alpha"}).status == 401
    for token in ("alpha", "beta", "root"):
        assert guarded.ask("POST", "/v1/predict", photo, bearer(token)).status == 200
    assert guarded.ask("GET", "/v2/models").status == 401
    for path in ("/", "/metrics", "/v2/health/live", "/v2/health/ready"):
        assert guarded.ask("GET", path).status == 200


def test_the_openapi_document_says_that_a_token_is_wanted(guarded, server):
    assert guarded.ask("GET", "/openapi.json").status == 401
    said = guarded.ask("GET", "/openapi.json", headers=bearer("alpha")).json
    assert said["security"] == [{"token": []}]
    assert said["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    free = server.ask("GET", "/openapi.json").json
    assert "security" not in free
    infer = free["paths"]["/v2/models/{name}/infer"]["post"]
    assert set(infer["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert infer["parameters"][-1]["name"] == "Inference-Header-Content-Length"


def test_only_administrators_load_models(guarded):
    path = "/v2/repository/models/net/load"
    assert guarded.ask("POST", path).status == 401
    assert guarded.ask("POST", path, b"", bearer("alpha")).status == 403
    answer = guarded.ask("POST", path, b"", bearer("root"))
    assert answer.status == 200
    assert answer.json["loaded"][0]["version"] == "1"


def test_without_admin_tokens_the_repository_is_closed(server):
    assert server.ask("POST", "/v2/repository/models/net/unload").status == 403


def test_bodies_beyond_the_limit_are_not_read(guarded):
    answer = guarded.ask("POST", "/v1/predict", bytes(1_000_001), bearer("alpha"))
    assert answer.status == 413
    chunks = (bytes(100_000) for _ in range(20))  # no length is declared
    try:
        answer = guarded.ask("POST", "/v1/predict", chunks, bearer("alpha"))
    except OSError:
        pass  # the server may close before everything was sent
    else:
        assert answer.status == 413
    assert guarded.ask("GET", "/v2/health/live").status == 200


def test_too_many_pictures_and_too_many_pixels(guarded, photo, tmp_path):
    from serve.running import form

    body, headers = form(*(("x", photo) for _ in range(3)))
    assert guarded.ask("POST", "/v1/predict", body, headers | bearer("alpha")).status == 413
    large = save_noise(tmp_path / "large.png", size=(1200, 1000)).read_bytes()
    answer = guarded.ask("POST", "/v1/predict", large, bearer("alpha"))
    assert answer.status == 413
    assert answer.json["predictions"][0]["reason"] == "too-large"


def test_compressed_bodies_are_refused(guarded, photo):
    headers = bearer("alpha") | {"Content-Encoding": "gzip"}
    assert guarded.ask("POST", "/v1/predict", photo, headers).status == 415


def test_a_client_that_leaves_is_forgotten(server, photo):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo)}\r\n\r\n"
            connection.sendall(head.encode() + photo[: len(photo) // 2])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        figures = server.ask("GET", "/metrics").body.decode()
        if "residua_bytes_in_flight 0.0" in figures and "residua_images_in_flight 0.0" in figures:
            break
        time.sleep(0.05)
    else:
        raise AssertionError(figures)
    assert server.ask("POST", "/v1/predict", photo).status == 200


EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # to be refused


@pytest.mark.parametrize("host", [*EVERYWHERE, "192.168.1.5", "photos.example"])
def test_other_machines_need_a_token(host):
    with pytest.raises(SettingError, match="no token is set"):
        check_settings(Settings(host=host))
    check_settings(Settings(host=host, tokens=("x",)))
    check_settings(Settings(host=host, insecure=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.3.2.1"])
def test_loopback_needs_none(host):
    check_settings(Settings(host=host))


def test_what_is_done_for_a_client_that_leaves_is_cancelled():
    cancelled = []

    async def app(scope, receive, send):
        assert (await receive())["body"] == b"all of it"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def leave():
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    with pytest.raises(Refusal) as caught:
        asyncio.run(run_while_connected(app, {}, b"all of it", leave, None))
    assert caught.value.kind is Kind.LEFT
    assert cancelled


HOSTS = ("photos.example",)


@pytest.mark.parametrize("address", [
    "https://elsewhere.example/a.jpg", "http://127.0.0.1/a.jpg", "https://[::1/a.jpg", "x", "",
    "https://photos.example.elsewhere.example/a.jpg", "https://photos.example@elsewhere.example/a",
])  # fmt: skip
def test_addresses_of_other_hosts_are_not_fetched(address, monkeypatch):
    monkeypatch.setattr(pictures, "fetch_picture", None)  # would fail if it were called
    with pytest.raises(Refusal) as caught:
        pictures.fetch(address, HOSTS, Limits())
    assert caught.value.kind is Kind.FORBIDDEN


def test_what_lies_at_an_allowed_host_is_fetched(monkeypatch):
    monkeypatch.setattr(pictures, "fetch_picture", lambda address, **_: address.encode())
    found = pictures.fetch("https://photos.example/a.jpg", HOSTS, Limits())
    assert found == b"https://photos.example/a.jpg"


def test_letters_that_no_address_has_are_the_clients_fault(monkeypatch):
    monkeypatch.setattr(remote, "_resolve_public", lambda *_: "192.0.2.1")
    with pytest.raises(Refusal) as caught:
        pictures.fetch("https://photos.example/\u00e4", HOSTS, Limits())
    assert caught.value.kind is Kind.UNREACHABLE


def test_what_is_said_to_a_client_is_not_meant_for_the_operator(guarded, tmp_path):
    large = save_noise(tmp_path / "large.jpg", size=(1200, 900)).read_bytes()
    answer = guarded.ask("POST", "/v1/predict", large, bearer("alpha"))
    assert answer.json["predictions"][0]["error"].endswith("the limit is 1 million pixels.")


def test_the_other_pictures_of_a_request_that_is_late_are_given_up():
    ended = []

    async def late():
        await asyncio.sleep(0)
        raise TimeoutError

    async def slow():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")

    async def run():
        with pytest.raises(TimeoutError):
            await pictures.gather([slow(), late(), slow()])
        await asyncio.sleep(0)

    asyncio.run(run())
    assert ended == ["slow", "slow"]


def test_large_pictures_are_not_decoded_beside_the_engine(tmp_path):
    answerer = pictures.Answerer(Settings(), None, Metrics())
    made = []
    for side in (300, 1200):
        content = save_noise(tmp_path / f"{side}.jpg", size=(side, side)).read_bytes()
        assert len(content) < 500_000
        picture = pictures.Picture("", content)
        made.append(answerer._decode_here(picture, Preprocess(crop_size=32, short_side=32)))
    assert made[0].shape == (32, 32, 3)
    assert made[1] is None
