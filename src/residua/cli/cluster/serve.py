"""residua serve --cluster: replicas that stay, or serve until a signal comes."""

from typing import TYPE_CHECKING, Annotated

import typer

from residua.cli.cluster.options import PANEL, read_range

if TYPE_CHECKING:
    from residua.serve.settings import Settings

Replicas = Annotated[
    str,
    typer.Option(
        metavar="MIN:MAX",
        help="As many as the requests want, each with --threads threads or a GPU [default: 1].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Storage = Annotated[
    str,
    typer.Option(
        help="A URL or folder that all machines see, for the bundles [default: every machine has "
        "them at the same path].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Stop = Annotated[
    bool,
    typer.Option(
        "--stop",
        help="Take away what serves there, once it has answered.",
        rich_help_panel=PANEL,
    ),
]


def run(
    models: list[str], address: str, settings: "Settings", *, replicas: str, storage: str,
) -> None:  # fmt: skip
    """Serve on the cluster: one of this machine until a signal comes, another from now on."""
    from residua.cluster.connect import LOCAL, connected, import_ray

    import_ray(address)
    from residua.cluster.serve.bundles import place_models
    from residua.cluster.serve.run import Scale, deploy, wait_for_signal, withdraw
    from residua.cluster.storage import locate

    bounds = read_range(replicas, "--replicas") or (1, 1)
    with connected(address) as cluster:
        placed = place_models(models, locate(storage) if storage else None)
        typer.echo(f"On {cluster}.", err=True)
        url = deploy(placed, settings, Scale(bounds, settings.threads or 1), cluster)
        typer.echo(f"ready: {url}", err=True)
        if address != LOCAL:
            typer.echo(
                "The replicas stay. The same command puts others in their place, without a lost "
                "request; residua serve --cluster --stop takes them away.",
                err=True,
            )
            return
        wait_for_signal()
        typer.echo("stopping: what was accepted is answered", err=True)
        withdraw()


def stop(address: str) -> None:
    """Take the replicas on the cluster away."""
    from residua.cluster.connect import connected, import_ray

    import_ray(address)
    from residua.cluster.serve.run import withdraw

    with connected(address):
        there = withdraw()
    typer.echo("Nothing is served there any more." if there else "Nothing was served there.")
