"""Reaching a cluster, or starting one on this machine, with defaults that keep it to oneself.

Whoever reaches a Ray cluster may run code on it. So: no dashboard, no usage statistics, and Ray's
token authentication as the environment has it (RAY_AUTH_MODE, RAY_AUTH_TOKEN,
RAY_AUTH_TOKEN_PATH); a cluster started here has a token unless that says "disabled", and listens on
the loopback address alone.
"""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from residua.base.errors import MissingExtraError, SettingError
from residua.base.machine import usable_cores
from residua.base.version import __version__
from residua.base.words import count_of

LOCAL = "local"
_DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do: GPUs are not hidden
    "RAY_DATA_AUTOSCALING_REQUEST_EXPIRE_TIME_S": "20",  # of a job that was killed, not 180
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # lines on lost machines, which are made up for
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how long a checkpoint waits to be heard of
}
# What makes Ray stay on the loopback address, as it does on Windows and macOS; read at its import.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_PATIENCE = 10.0  # seconds for a cluster to answer
_WORKERS_KEPT = 32
_STORE_SHARE = 0.3  # of the free memory, for what Ray hands from process to process
_STORE_LEAST, _STORE_MOST = 100 << 20, 8 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as one is connected to it: its processors, its GPUs, how many machines."""

    cores: int
    gpus: int
    nodes: int
    local: bool

    def __str__(self) -> str:
        """Return it in words."""
        where = "this machine" if self.local else count_of(self.nodes, "machine")
        gpus = f", {count_of(self.gpus, 'GPU')}" if self.gpus else ""
        return f"a cluster of {where}: {count_of(self.cores, 'core')}{gpus}"


@contextmanager
def connected(address: str, *, cores: int | None = None) -> Iterator[Cluster]:
    """Connect for the length of the block, unless the process is connected already.

    What Ray prints meanwhile, as of lost machines, goes to the standard error.

    ``address`` is "local" for a cluster of this machine alone, of ``cores`` (None: all), "auto" for
    the one that runs on this machine or that RAY_ADDRESS names, or HOST:PORT. Raises
    MissingExtraError without Ray, SettingError where no cluster answers or its nodes have another
    version of residua.
    """
    ray = import_ray(address)
    if ray.is_initialized():
        yield _describe(ray, local=address == LOCAL)
        return
    _connect(ray, address, cores)
    try:
        cluster = _describe(ray, local=address == LOCAL)
        if address != LOCAL:
            _compare_versions(ray)
        with redirect_stdout(sys.stderr):
            yield cluster
    finally:
        ray.shutdown()


def import_ray(address: str) -> Any:
    """Return the library, with its defaults for that cluster. Raises MissingExtraError."""
    for name, value in (_DEFAULTS | (_LOOPBACK if address == LOCAL else {})).items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that Ray brings
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "cluster") from error
    return ray


def _connect(ray: Any, address: str, cores: int | None) -> None:
    if address.startswith("ray://"):
        raise SettingError(
            f"{address} is of Ray's client, through which data and training do not run.",
            next_step="Run the same command on a machine of the cluster, with --cluster.",
        )
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == LOCAL:
        options |= {
            "address": "local", "num_cpus": cores or usable_cores(), "include_dashboard": False,
            "object_store_memory": _size_store(),
            # Workers that wait are kept: to start another takes a second of a core.
            "_system_config": {"num_workers_soft_limit": _WORKERS_KEPT},
        }  # fmt: skip
    else:
        options["address"] = address
    try:
        _knock(_find_cluster() if address == "auto" else address)
        with _without_log():
            ray.init(**options)
    except ray.exceptions.AuthenticationError as error:
        raise SettingError(
            f"The cluster at {address} wants a token, and there is none, or another.",
            next_step="Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN).",
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingError(
            f"No cluster answers at {address}: {str(error).splitlines()[0]}",
            next_step="Start one with `ray start --head` (docs/cluster.md), or take this machine "
            "alone: --cluster local.",
        ) from error


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep back what C++ code says on the standard error: how it has been told to be silent."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _find_cluster() -> str:
    """Return the address that Ray takes for "auto"; of a cluster that was killed, too.

    Raises ConnectionError where there is none.
    """
    from ray._private.services import get_ray_address_from_environment

    try:
        return str(get_ray_address_from_environment("auto", None))
    except ConnectionError as error:
        raise ConnectionError("none runs here, and RAY_ADDRESS names none.") from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at HOST:PORT: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _size_store() -> int:
    from residua.base.machine import available_memory

    return int(min(_STORE_MOST, max(_STORE_LEAST, _STORE_SHARE * available_memory())))


def _describe(ray: Any, *, local: bool) -> Cluster:
    found = ray.cluster_resources()
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    return Cluster(int(found.get("CPU", 0)), int(found.get("GPU", 0)), nodes, local)


def _compare_versions(ray: Any) -> None:
    """Refuse nodes whose residua is another, or is not there: they would compute otherwise."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {
        node["NodeManagerAddress"]: ray.remote(_tell_version)
        .options(
            num_cpus=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        )
        .remote()
        for node in ray.nodes()
        if node["Alive"]
    }
    for address, answer in asked.items():
        version = ray.get(answer)
        if version != __version__:
            raise SettingError(
                f"The node {address} has {version or 'no residua'}, and this is {__version__}.",
                next_step=f"Install there: pip install 'residua[cluster]=={__version__}'",
            )


def _tell_version() -> str:
    try:
        from residua.base.version import __version__ as found
    except ImportError:
        return ""
    return found
