"""residua distil mine --cluster: who asks the teachers."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from residua.cli.cluster.options import read_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from residua.distil.mine.asking import Scoring


@contextmanager
def scoring_on(
    address: str, engines: str, threads: int | None, how: dict[str, Any]
) -> "Iterator[Scoring]":
    """Give what scores on the cluster at ``address``, for the length of the block."""
    from residua.cli.cluster.stopping import going_on
    from residua.cluster.connect import connected, import_ray

    bounds = read_range(engines, "--engines")
    import_ray(address)
    from residua.cluster.mine.run import ClusterScoring

    with connected(address) as cluster, going_on():
        typer.echo(f"On {cluster}.", err=True)
        yield ClusterScoring(cluster, bounds, threads or 1, how).score
