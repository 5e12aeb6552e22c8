"""A server on this machine for the tests of fetching, reached without a proxy."""

import pytest

from file_server import Served, serving
from residua.zoo.weights import download
from weight_files import BODY


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESIDUA_OFFLINE", "0")
    monkeypatch.setattr(download, "PAUSE", 0.001)
    with serving() as server:
        server.files["/a"] = Served(BODY)
        yield server
