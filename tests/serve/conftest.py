"""One server for the tests that only ask; those that break something start their own."""

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("grpc")

from making import make_bundle, save_noise
from serve.running import Running


@pytest.fixture(scope="session")
def served_bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("served") / "net.bundle", "ResNet20")


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    return save_noise(tmp_path_factory.mktemp("photos") / "a.jpg").read_bytes()


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return [save_noise(folder / f"{seed}.png", seed=seed).read_bytes() for seed in range(12)]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def start(tmp_path_factory, cache):
    """Start a server; all that were started are ended."""
    folder, started = tmp_path_factory.mktemp("logs"), []

    def begin(*arguments, environment=None, **options):
        environment = {"RESIDUA_CACHE": cache, "RESIDUA_OFFLINE": "1"} | (environment or {})
        server = Running(
            folder / f"{len(started)}.log", *arguments, environment=environment, **options
        )
        started.append(server)
        return server

    yield begin
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(start, served_bundle):
    return start(served_bundle.path, "--engine", "openvino", "--threads", "1")
