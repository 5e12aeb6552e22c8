"""residua train --cluster: where its processes run, and what they leave behind."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.cluster.options import PANEL, read_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from residua.data.settings import DataPart
    from residua.data.source import Parts
    from residua.train.recipe.tree import Recipe
    from residua.train.run import Trained

Workers = Annotated[
    str,
    typer.Option(
        metavar="MIN:MAX",
        help="Processes, one a GPU; with MIN and MAX the training goes on with those that there "
        "are, at the same batch [default: a GPU each, else one a machine].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Of each process on processors [default: the cores, shared out].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Storage = Annotated[
    str,
    typer.Option(
        help="A folder that all machines see, or a URL, for checkpoints [default: beside the "
        "bundle].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def make_trainer(
    address: str, data: str, val: str, settings: "DataPart", workers: str, threads: int | None,
    storage: str,
) -> "Callable[..., Trained]":  # fmt: skip
    """Return what trains on the cluster at ``address``, called as residua.train.run.train is."""
    bounds = read_range(workers, "--workers")

    def train_there(
        recipe: "Recipe", _: "Parts", *, output: Path, run_folder: Path, **how: Any
    ) -> "Trained":
        from residua.cli.cluster.stopping import going_on
        from residua.cluster.connect import connected, import_ray

        import_ray(address)
        from residua.cluster.storage import locate
        from residua.cluster.train.run import Pictures, Placing, train_on_cluster

        with connected(address) as cluster, going_on():
            how["display"].say(f"On {cluster}.")
            each = cluster.gpus if cluster.gpus and how["device"] != "cpu" else cluster.nodes
            place = locate(storage or output.with_suffix(".storage"))
            trained = train_on_cluster(
                recipe, output=output, run_folder=run_folder, restart=how["restart"],
                device=how["device"], say=how["display"].say,
                pictures=Pictures(data, val, settings),
                placing=Placing(bounds or (each, each), place, threads), cluster=cluster,
            )  # fmt: skip
        if not storage:
            place.remove()
        return trained

    return train_there
