"""``residua serve``: pictures in, classes out, over HTTP and gRPC."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.cluster.options import Cluster, need_cluster
from residua.cli.cluster.serve import Replicas, Stop, Storage

if TYPE_CHECKING:
    from residua.serve.settings import Settings

Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Bundles, weight files or names from `residua models`; NAME=BUNDLE gives a name, "
        "NAME:VERSION=BUNDLE a version too.",
        metavar="MODELS…",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on; others than loopback need a token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Of HTTP.")]
GrpcPort = Annotated[int, typer.Option(min=0, max=65535, help="Of gRPC; 0 leaves it out.")]
Engine = Annotated[str, typer.Option(help="auto: the fastest here whose answers agree.")]
Precision = Annotated[str, typer.Option(help="fp32, bf16, fp16, int8, or fastest.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Threads of the engine [default: one a core].", show_default=False),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes, which share the cores.")]
MaxBatch = Annotated[int, typer.Option(min=1, max=256, help="Pictures of a run of the network.")]
Queue = Annotated[
    int, typer.Option(min=1, help="Pictures in the house; the next is refused at once (429).")
]
QueueBytes = Annotated[int, typer.Option(min=1, help="Megabytes of requests in the house.")]
Timeout = Annotated[
    float, typer.Option(min=0.001, help="Seconds of a request that names no timeout (504).")
]
BodyTimeout = Annotated[
    float, typer.Option(min=0.001, help="Seconds in which a body must have arrived (408).")
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        help="Requests a second of one client (429 beyond) [default: any].",
        show_default=False,
    ),
]
MaxImages = Annotated[int, typer.Option(min=1, help="Pictures of a request.")]
MaxBody = Annotated[int, typer.Option(min=1, help="Megabytes of a request.")]
MaxBytes = Annotated[int, typer.Option(min=1, help="Megabytes of a picture.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Million pixels of a picture.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="Tokens, a line each, that clients send as Authorization: Bearer TOKEN [env: "
        "RESIDUA_TOKENS, separated by commas].",
        show_default=False,
    ),
]
AdminTokenFile = Annotated[
    Path | None,
    typer.Option(
        help="Tokens that may load and unload models [env: RESIDUA_ADMIN_TOKENS]; without any "
        "nobody may.",
        show_default=False,
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Listen for other machines without any token.")
]
ClosedMetrics = Annotated[
    bool, typer.Option("--closed-metrics", help="/metrics wants a token as well.")
]
UrlHosts = Annotated[
    list[str] | None,
    typer.Option("--allow-url-host", help="Fetch pictures from https addresses of this host."),
]
Certificate = Annotated[Path | None, typer.Option(help="TLS: a PEM file.", show_default=False)]
PrivateKey = Annotated[Path | None, typer.Option(help="TLS: a PEM file.", show_default=False)]
Watch = Annotated[
    bool, typer.Option("--watch", help="Load bundles anew when they have been written again.")
]
DrainDelay = Annotated[
    float,
    typer.Option(min=0, help="Seconds after SIGTERM in which requests are still taken, not ready."),
]
Grace = Annotated[float, typer.Option(min=0, help="Seconds for what is under way at the end.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No line for each request.")]


def serve(
    models: Models = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    grpc_port: GrpcPort = 8001,
    engine: Engine = "auto",
    precision: Precision = "fp32",
    threads: Threads = None,
    workers: Workers = 1,
    max_batch: MaxBatch = 8,
    queue: Queue = 128,
    queue_bytes: QueueBytes = 256,
    timeout: Timeout = 10.0,
    body_timeout: BodyTimeout = 20.0,
    rate: Rate = None,
    max_images: MaxImages = 64,
    max_body: MaxBody = 64,
    max_bytes: MaxBytes = 20,
    max_pixels: MaxPixels = 50,
    token_file: TokenFile = None,
    admin_token_file: AdminTokenFile = None,
    insecure: Insecure = False,
    closed_metrics: ClosedMetrics = False,
    allow_url_host: UrlHosts = None,
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    watch: Watch = False,
    drain_delay: DrainDelay = 0.0,
    grace: Grace = 30.0,
    quiet: Quiet = False,
    cluster: Cluster = "",
    replicas: Replicas = "",
    storage: Storage = "",
    stop: Stop = False,
) -> None:
    """Serve classifiers: a page to drop photos on, REST, and the Open Inference Protocol.

    Overload is refused at once, a bad photo is a record with its reason. What is accepted is
    answered, also when the server is stopped. For example:

      residua serve flowers.bundle                      # then open http://127.0.0.1:8000

      curl -T rose.jpg http://127.0.0.1:8000/v1/predict

      residua serve ResNet50_vd_ssld flowers=a.bundle flowers=b.bundle --precision fastest

      residua serve flowers.bundle --host 0.0.0.0 --token-file tokens.txt --workers 2
    """
    options = dict(locals())
    _need_libraries()
    if stop:
        _stop_there(cluster, models)
    elif cluster:
        _serve_there(options)
    else:
        need_cluster(replicas=replicas, storage=storage)
        _run(_given(models), _make_settings(options), workers=workers, quiet=quiet)


def _given(models: list[str] | None) -> list[str]:
    if not models:
        raise typer.BadParameter("name one: residua serve flowers.bundle", param_hint="MODELS…")
    return models


def _serve_there(options: dict[str, Any]) -> None:
    """Let a cluster serve."""
    from residua.cli.cluster.options import refuse
    from residua.cli.cluster.serve import run

    refuse(
        workers=options["workers"] > 1,
        **{name: options[name] for name in ("watch", "certificate", "drain_delay")},
    )
    settings = _make_settings(options | {"grpc_port": 0})
    run(
        _given(options["models"]), options["cluster"], settings, replicas=options["replicas"],
        storage=options["storage"],
    )  # fmt: skip


def _stop_there(cluster: str, models: list[str] | None) -> None:
    """Let a cluster serve no more."""
    from residua.cli.cluster.serve import stop

    if not cluster or models:
        raise typer.BadParameter("is for a cluster, without models.", param_hint="--stop")
    stop(cluster)


def _make_settings(options: dict[str, Any]) -> "Settings":
    """Return the settings that the options of the command, by their names, spell."""
    from dataclasses import replace

    from residua.serve.settings import Settings, check_settings

    million = 1_000_000
    same = (
        "host", "port", "engine", "precision", "threads", "max_batch", "rate", "timeout",
        "body_timeout", "insecure", "certificate", "private_key", "watch", "drain_delay", "grace",
    )  # fmt: skip
    limits = replace(
        Settings().limits,
        max_bytes=options["max_bytes"] * million,
        max_pixels=options["max_pixels"] * million,
    )
    settings = Settings(
        **{name: options[name] for name in same},
        grpc_port=options["grpc_port"] or None,
        queue_images=options["queue"],
        queue_bytes=options["queue_bytes"] * million,
        longest_timeout=max(60.0, options["timeout"]),
        limits=limits,
        max_body=options["max_body"] * million,
        max_images=min(options["max_images"], options["queue"]),
        tokens=_read_tokens(options["token_file"], "RESIDUA_TOKENS"),
        admin_tokens=_read_tokens(options["admin_token_file"], "RESIDUA_ADMIN_TOKENS"),
        open_metrics=not options["closed_metrics"],
        url_hosts=tuple(host.lower() for host in options["allow_url_host"] or ()),
    )
    check_settings(settings)
    return settings


def _run(models: list[str], settings: "Settings", *, workers: int, quiet: bool) -> None:
    import asyncio
    import logging
    import os
    from dataclasses import replace

    from residua.base.errors import ResiduaError, spell_error
    from residua.base.machine import usable_cores
    from residua.serve.logs import set_up_logs
    from residua.serve.models.repository import read_places
    from residua.serve.run import leave
    from residua.serve.run import serve as run_server
    from residua.serve.workers import WORKER, check_free, end_with_parent, run_workers

    places = read_places(models)
    as_json = set_up_logs(quiet=quiet)
    worker = WORKER in os.environ
    if workers > 1 and not worker:
        for port in filter(None, (settings.port, settings.grpc_port)):
            check_free(settings.host, port)
        code = run_workers(sys.argv[sys.argv.index("serve") + 1 :], workers)
        raise typer.Exit(code)
    if worker:
        end_with_parent()
        settings = replace(settings, alone=False)
    if settings.threads is None:
        settings = replace(settings, threads=max(1, usable_cores() // workers))
    loop_factory = _find_loop()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            runner.run(run_server(places, settings, reuse_port=worker))
        except (ResiduaError, OSError) as error:
            if not as_json:
                raise
            logging.getLogger("residua.serve").critical(spell_error(error))  # as all that it says
            raise typer.Exit(1) from error
    leave()


def _find_loop() -> Any:
    """Return the faster event loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _read_tokens(path: Path | None, variable: str) -> tuple[str, ...]:
    """Return the tokens of a file, or of the environment. Raises SettingError for an empty file."""
    import os

    from residua.base.errors import SettingError

    if path is None:
        return tuple(t.strip() for t in os.environ.get(variable, "").split(",") if t.strip())
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"The token file {path} cannot be read: {error}.") from error
    tokens = tuple(t for line in lines if (t := line.strip()) and not t.startswith("#"))
    if not tokens:
        raise SettingError(f"{path} holds no token.", next_step="Write one a line into it.")
    return tokens


def _need_libraries() -> None:
    from importlib.util import find_spec

    from residua.base.errors import MissingExtraError

    for library in ("fastapi", "uvicorn", "grpc", "google.protobuf", "prometheus_client"):
        try:
            found = find_spec(library)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise MissingExtraError(library, "serve")
