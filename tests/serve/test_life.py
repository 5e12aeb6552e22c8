"""Starting, swapping, stopping: nothing that was accepted is lost, nothing half-loaded answers."""

import http.client
import json
import os
import shutil
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from making import make_bundle
from serve.running import Running, form


@pytest.fixture
def bundle(served_bundle, tmp_path):
    shutil.copytree(served_bundle.path, tmp_path / "net.bundle")
    return tmp_path / "net.bundle"


class Load:
    """Clients that ask without a pause; every answer is kept."""

    def __init__(self, server, photo, count=4):
        self.server, self.photo = server, photo
        self.statuses, self.broken, self.answers = [], [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self):
        while not self._stop.is_set():
            try:
                answer = self.server.ask("POST", "/v1/predict", self.photo)
            except ConnectionRefusedError:
                return  # it no longer listens
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(error)
                return
            self.statuses.append(answer.status)
            self.answers.append(answer.body)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


OPTIONS = ("--engine", "openvino", "--threads", "1")


def test_what_was_accepted_is_answered_when_it_stops(start, bundle, photo):
    server = start(bundle, *OPTIONS, "--drain-delay", "0.5")
    load = Load(server, photo)
    time.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert server.ask("GET", "/v2/health/ready").status == 503  # but it still answers
    assert server.ask("POST", "/v1/predict", photo).status == 200
    assert server.process.wait(20) == 0
    load.end()
    assert set(load.statuses) == {200}
    # Connections that the system had taken and the server had not are reset; whatever the server
    # has read was answered, and its answer has arrived.
    said = server.said()
    assert "stopping" in said
    assert said.count("POST /v1/predict 200") == len(load.statuses) + 1
    assert "POST /v1/predict 5" not in said


def test_a_second_signal_ends_it_at_once(start, bundle):
    server = start(bundle, *OPTIONS, "--drain-delay", "60")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 1


def swap(bundle, seed, scratch):
    """Put other weights in the bundle's place, as residua itself writes one: at once."""
    made = make_bundle(scratch / f"{seed}.bundle", "ResNet20", seed=seed).path
    old = bundle.with_suffix(".old")
    bundle.rename(old)
    made.rename(bundle)
    shutil.rmtree(old)


def test_a_bundle_that_is_written_anew_is_swapped_in_under_load(start, bundle, photo, tmp_path):
    server = start(bundle, *OPTIONS, "--watch")
    load = Load(server, photo)
    time.sleep(0.3)
    swap(bundle, 1, tmp_path)
    end = time.monotonic() + 60
    while len(set(load.answers)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    load.end()
    assert set(load.statuses) == {200}
    assert not load.broken
    assert len(set(load.answers)) == 2
    first_new = next(i for i, body in enumerate(load.answers) if body != load.answers[0])
    assert all(body != load.answers[0] for body in load.answers[first_new + 8 :])
    figures = server.ask("GET", "/metrics").body.decode().splitlines()
    served = [line[-3:] for line in figures if line.startswith("residua_model_info{")]
    assert served == ["1.0"]  # the new weights alone


def test_a_damaged_bundle_leaves_the_old_one_serving(start, bundle, photo, tmp_path):
    admins = tmp_path / "admins.txt"
    admins.write_text("root\n")
    server = start(bundle, *OPTIONS, "--admin-token-file", admins)
    before = server.ask("POST", "/v1/predict", photo).json
    weights = bundle / "weights.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-100] ^= 1
    weights.write_bytes(damaged)
    headers = {"Authorization": "Bearer root"}
    answer = server.ask("POST", "/v2/repository/models/net/load", b"", headers)
    assert answer.status == 400
    assert "sha256 differs" in answer.json["error"]
    assert "The old one serves on" in answer.json["error"]
    assert server.ask("POST", "/v1/predict", photo).json == before
    assert server.ask("GET", "/v2/health/ready").status == 200
    index = server.ask("POST", "/v2/repository/index", b"").json
    assert index[0]["state"] == "READY"
    assert "sha256 differs" in index[0]["reason"]
    unload = server.ask("POST", "/v2/repository/models/net/unload", b"", headers)
    assert unload.status == 200
    assert server.ask("POST", "/v1/predict", photo).status == 503


def test_models_and_versions_side_by_side(start, bundle, photo, tmp_path):
    other = make_bundle(tmp_path / "other.bundle", "ResNet20", seed=1).path
    server = start(f"net={bundle}", f"net={other}", f"own:final={other}", *OPTIONS)
    asked = {
        path: server.ask("POST", f"/v1/predict?{path}", photo).json
        for path in ("model=net", "model=net&version=1", "model=net&version=2", "model=own")
    }
    assert asked["model=net"] == asked["model=net&version=2"]
    assert asked["model=net"]["predictions"] != asked["model=net&version=1"]["predictions"]
    assert asked["model=own"]["version"] == "final"
    assert asked["model=own"]["predictions"] == asked["model=net"]["predictions"]
    assert server.ask("POST", "/v1/predict", photo).status == 400  # which one is not said


def test_overload_is_refused_at_once_and_the_rest_is_answered(start, bundle, photo):
    server = start(bundle, *OPTIONS, "--queue", "4", "--max-images", "4", "--timeout", "5")
    load = Load(server, photo, count=24)
    time.sleep(3)
    load.end()
    found = set(load.statuses)
    assert found == {200, 429}, found
    answer = json.loads(
        next(b for s, b in zip(load.statuses, load.answers, strict=True) if s == 429)
    )
    assert answer["reason"] == "busy"
    figures = server.ask("GET", "/metrics").body.decode()
    assert "residua_images_in_flight 0.0" in figures
    assert server.ask("POST", "/v1/predict", photo).status == 200


def test_a_deadline_that_cannot_be_met_is_said(server, photo):
    answer = server.ask("POST", "/v1/predict?timeout=0.000001", photo)
    assert answer.status == 504
    assert answer.json["reason"] == "late"


def test_what_cannot_be_served_ends_with_the_reason(tmp_path, bundle, cache):
    environment = {"RESIDUA_CACHE": cache, "RESIDUA_OFFLINE": "1"}

    def refused(*arguments, port=None):
        server = Running(
            tmp_path / "log", *arguments, environment=environment, ready=False, port=port
        )
        assert server.process.wait(60) == 1
        return server.said()

    assert "nothing" in refused("nothing.bundle")
    assert "no token is set" in refused(bundle, "--host", "192.0.2.1")
    assert "cannot be the name" in refused(f"a b={bundle}")
    (bundle / "weights.safetensors").write_bytes(b"")
    assert "bytes" in refused(bundle)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot be listened on" in refused(bundle, port=taken.getsockname()[1])


def find_workers(server):
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in children.split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_share_the_port_and_one_that_dies_is_replaced(start, bundle, photo, number):
    server = start(bundle, *OPTIONS, "--workers", "2")
    first, second = find_workers(server)
    load = Load(server, photo, count=2)
    time.sleep(1)
    assert "residua_images_total" in server.ask("GET", "/metrics").body.decode()
    os.kill(first, number)
    end = time.monotonic() + 30
    while first in find_workers(server) or len(find_workers(server)) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1)
    load.end()
    assert set(load.statuses) == {200}
    assert len(load.broken) <= 2  # what the dead one held; it listens no more
    assert second in find_workers(server)
    assert f"worker {first} ended" in server.said()
    server.wait_until_ready()
    assert server.ask("POST", "/v1/predict", photo).status == 200
    assert server.stop() == 0


def test_a_worker_that_cannot_start_again_leaves_the_others_answering(start, bundle, photo):
    server = start(bundle, *OPTIONS, "--workers", "2")
    while server.said().count("ready: ") < 2:
        time.sleep(0.1)
    kept = (bundle / "bundle.json").read_bytes()
    (bundle / "bundle.json").write_text("{}")
    first, second = find_workers(server)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 60
    while f"worker {first} ended" not in server.said():  # until then it may hold a connection
        time.sleep(0.05)
    while server.said().count(" ended with ") < 2:  # the killed one and the one after it
        assert time.monotonic() < end
        assert server.ask("POST", "/v1/predict", photo).status == 200
    (bundle / "bundle.json").write_bytes(kept)
    while server.said().count("ready: ") < 3:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert second in find_workers(server)
    assert server.stop() == 0


def test_workers_that_cannot_start_end_with_the_reason(start, bundle):
    (bundle / "bundle.json").write_text("{}")
    server = start(bundle, *OPTIONS, "--workers", "2", ready=False)
    assert server.process.wait(60) == 1
    assert "bundle.json" in server.said()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_of_the_group_loses_nothing(start, bundle, photo, number):
    server = start(bundle, *OPTIONS, "--workers", "2", group=True)
    body, headers = form(*((f"{i}.jpg", photo) for i in range(60)))
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(server.ask, "POST", "/v1/predict", body, headers) for _ in range(2)]
        while "residua_images_in_flight 0.0" in server.ask("GET", "/metrics").body.decode():
            assert not any(each.done() for each in asked)
        os.killpg(server.process.pid, number)
        answers = [each.result() for each in asked]
    assert [answer.status for answer in answers] == [200, 200]
    assert all(len(answer.json["predictions"]) == 60 for answer in answers)
    assert server.process.wait(30) == 0


def test_workers_end_with_their_parent_and_share_no_port_with_others(start, bundle):
    server = start(bundle, *OPTIONS, "--workers", "2")
    second = start(bundle, *OPTIONS, "--workers", "2", ready=False, port=server.port)
    assert second.process.wait(30) == 1
    assert "cannot be listened on" in second.said()
    workers = find_workers(server)
    server.process.kill()
    server.process.wait()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_workers_refuse_what_would_reach_one_of_them(start, bundle):
    environment = {"RESIDUA_ADMIN_TOKENS": "root"}
    server = start(bundle, *OPTIONS, "--workers", "2", environment=environment)
    headers = {"Authorization": "Bearer root"}
    answer = server.ask("POST", "/v2/repository/models/net/load", b"", headers)
    assert answer.status == 400
    assert "--watch" in answer.json["error"]


def test_weights_that_come_after_the_rest_are_loaded(start, bundle, photo, tmp_path):
    server = start(bundle, *OPTIONS, "--watch")
    before = server.ask("POST", "/v1/predict", photo).body
    other = make_bundle(tmp_path / "other.bundle", "ResNet20", seed=1).path
    shutil.copy(other / "bundle.json", bundle / "bundle.json")
    end = time.monotonic() + 30
    while "serves on" not in server.said() and "sha256" not in server.said():
        assert time.monotonic() < end
        time.sleep(0.1)
    shutil.copy(other / "weights.safetensors", bundle / "weights.safetensors")
    while server.ask("POST", "/v1/predict", photo).body == before:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_one_model_that_is_taken_out_leaves_the_server_ready(start, bundle, photo):
    environment = {"RESIDUA_ADMIN_TOKENS": "root"}
    server = start(f"a={bundle}", f"b={bundle}", *OPTIONS, environment=environment)
    headers = {"Authorization": "Bearer root"}
    assert server.ask("POST", "/v2/repository/models/a/unload", b"", headers).status == 200
    assert server.ask("GET", "/v2/health/ready").status == 200
    assert server.ask("GET", "/v2/models/a/ready").status == 503
    assert server.ask("POST", "/v1/predict?model=b", photo).status == 200
