"""Real Ray clusters on this machine: several raylets, of which some are lost on purpose."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from residua.base.files import locked
from residua.cluster.storage import locate

_STORE = 120 << 20  # bytes of a node's object store
_S3_PYTHON = os.environ.get("RESIDUA_S3_PYTHON", "")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse connections that leave this machine; Ray's processes talk by its own address."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family == socket.AF_INET and self.type == socket.SOCK_STREAM:
            from ray.util import get_node_ip_address

            own = get_node_ip_address()
            assert address[0].startswith("127.") or address[0] in {own, "localhost"}, address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """The address of a server of S3 on this machine."""
    if not _S3_PYTHON:
        pytest.skip("RESIDUA_S3_PYTHON names no Python that has moto, a server of S3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [_S3_PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    wait_until(lambda: "Running on" in log.read_text(), what="the server of S3")
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def bucket(s3_server, monkeypatch, tmp_path):
    """The URL of a new bucket; clusters that start after it know where it is."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    name = f"bucket-{abs(hash(tmp_path)) % 10**12}"
    locate(f"s3://{name}?allow_bucket_creation=true").make()
    return f"s3://{name}"


class Nodes:
    """A cluster whose head has no cores, so that every other node may be lost."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE,
                # A lost machine is noticed in two seconds, not in thirty.
                "_system_config": {
                    "health_check_initial_delay_ms": 1000, "health_check_period_ms": 500,
                    "health_check_timeout_ms": 1500, "health_check_failure_threshold": 3,
                },
            },
        )  # fmt: skip
        self.nodes = []

    @property
    def address(self):
        return self.cluster.address

    def add(self, cores=1, count=1):
        for _ in range(count):
            self.nodes.append(self.cluster.add_node(num_cpus=cores, object_store_memory=_STORE))
        self.cluster.wait_for_nodes()
        return self

    def lose(self, process=None):
        """End a raylet as a machine that is cut off, with all its workers: that of ``process``."""
        node = self.nodes[-1]
        if process is not None:
            raylet = Path(f"/proc/{process}/environ").read_text().split("RAY_RAYLET_PID=")[1]
            [node] = [n for n in self.nodes if _raylet(n) == int(raylet.split("\0")[0])]
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


def _raylet(node):
    return node.all_processes["raylet"][0].process.pid


@pytest.fixture
def nodes(monkeypatch):
    """A cluster without a worker yet; the process is not connected to it."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    # Two clusters at once would wait for each other's cores.
    with locked(Path(tempfile.gettempdir()) / "residua-cluster-tests.lock"):
        made = Nodes()
        import ray

        try:
            yield made
        finally:
            ray.shutdown()
            made.cluster.shutdown()


@pytest.fixture
def start(tmp_path):
    """Start `residua …` beside the test; what is left of it is stopped."""
    started = []

    def begin(*words):
        path = tmp_path / f"process{len(started)}.log"
        with path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "residua", *map(str, words)],
                stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True,
            )  # fmt: skip
        process.log = path
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(condition, *, what, seconds=90):
    """Return what ``condition`` gives, once it is something."""
    for _ in range(seconds * 10):
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


def processes_named(text):
    """The ids of the processes of this machine whose command line holds ``text``."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and text in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
