"""What all tests share: where the test data lie, and that nobody reaches the network."""

import os
import socket
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("RESIDUA_TEST_DATA") or _ROOT.parent / "shared" / "data")
    if not (folder / "README.md").is_file():
        pytest.skip(f"the test data are not here: set RESIDUA_TEST_DATA (looked in {folder})")
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            if not (host.startswith("127.") or host in ("::1", "localhost")):
                raise AssertionError(f"a test tried to reach {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Give every test an empty cache of its own and keep it offline unless it says otherwise."""
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RESIDUA_OFFLINE", "1")
    for name in ("RESIDUA_MIRROR", "RESIDUA_WEIGHTS_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def all_cores():
    """Fail the run if a test kept the process to fewer cores than it began with."""
    before = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    yield
    after = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    assert after == before, "a test pinned the process and did not give its cores back"
