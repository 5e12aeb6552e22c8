"""Replicas of the server on a cluster: as many as are needed, replaced without a lost request."""

import logging
import signal
import threading
from dataclasses import dataclass, replace
from typing import Any

from residua.base.errors import ResiduaError, SettingError
from residua.base.words import count_of
from residua.cluster.connect import Cluster
from residua.serve.settings import Settings

APPLICATION = "residua"


@dataclass(frozen=True, slots=True)
class Scale:
    """Between two numbers of replicas, each with so many threads, or a GPU.

    ``everywhere`` lets every machine listen, not the first alone.
    """

    replicas: tuple[int, int]
    threads: int = 1
    everywhere: bool = True


def deploy(models: list[str], settings: Settings, scale: Scale, cluster: Cluster) -> str:
    """Serve ``models`` on the cluster; return the address. What is served there is replaced.

    Replicas of the old models end when they have answered what they have accepted, and when new
    ones are ready. Raises SettingError where no replica finds room, ResiduaError where they fail.
    """
    from ray import serve
    from ray.serve.exceptions import RayServeException

    from residua.cluster.serve.replica import make_deployment

    fewest, most = scale.replicas
    room = cluster.gpus or cluster.cores // scale.threads
    if room < fewest:
        raise SettingError(
            f"The cluster has {count_of(cluster.cores, 'core')}, too few for "
            f"{count_of(fewest, 'replica')} of {count_of(scale.threads, 'thread')}.",
            next_step=f"--replicas {max(1, room)}, or fewer --threads.",
        )
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    _check_address(settings)
    serve.start(
        http_options={"host": settings.host, "port": settings.port, "keep_alive_timeout_s": 65},
        proxy_location="EveryNode" if scale.everywhere else "HeadOnly",
    )
    deployment = make_deployment(
        name=APPLICATION,
        ray_actor_options={"num_gpus": 1} if cluster.gpus else {"num_cpus": scale.threads},
        autoscaling_config={
            "min_replicas": fewest, "max_replicas": most, "initial_replicas": fewest,
            "target_ongoing_requests": 2 * settings.max_batch,
        },
        # The house of a replica refuses what is too much; Ray Serve would let it wait.
        max_ongoing_requests=8 * settings.queue_images,
        graceful_shutdown_timeout_s=settings.grace, health_check_period_s=5,
    )  # fmt: skip
    own = replace(settings, alone=False, grpc_port=None, threads=scale.threads)
    try:
        serve.run(deployment.bind(models, own), name=APPLICATION, route_prefix="/")
    except (RuntimeError, RayServeException) as error:
        raise ResiduaError(
            f"The replicas did not become ready: {_reason(error)}",
            next_step="Every machine must see the bundles, or give --storage.",
        ) from error
    return f"http://{settings.host}:{settings.port}"


def _reason(error: BaseException) -> str:
    """Return the line that says why a replica failed."""
    from ray import serve

    status: Any = serve.status().applications.get(APPLICATION)
    if status is not None:
        for deployment in status.deployments.values():
            lines = [line.strip() for line in deployment.message.splitlines() if line.strip()]
            if told := [line for line in lines if "Error" in line]:
                return str(told[-1])
    return str(error).splitlines()[-1]


def _check_address(settings: Settings) -> None:
    """Refuse another address than that at which Ray Serve listens: it would go on there."""
    from ray.serve.context import _get_global_client

    there = _get_global_client(raise_if_no_controller_running=False)
    if there is None:
        return
    known = there.http_config.host, there.http_config.port
    if known != (settings.host, settings.port):
        raise SettingError(
            f"On this cluster {known[0]}:{known[1]} is listened at, not "
            f"{settings.host}:{settings.port}, until nothing is served there.",
            next_step=f"--host {known[0]} --port {known[1]}; or residua serve --cluster --stop.",
        )


def withdraw() -> bool:
    """Take the replicas away once they have answered, and return whether there were any.

    Where nothing else is served Ray Serve ends too, and its address is free.
    """
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    applications = serve.status().applications
    if APPLICATION in applications:
        serve.delete(APPLICATION)
    if set(applications) <= {APPLICATION}:
        serve.shutdown()
    return APPLICATION in applications


def wait_for_signal() -> None:
    """Return at SIGTERM or Ctrl-C."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    stopping.wait()
