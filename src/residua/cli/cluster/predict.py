"""residua predict --cluster: a job whose results are files in a folder."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from residua.cluster.predict.job import Form
    from residua.cluster.predict.results import Summary


def run(
    images: list[str],
    model: str,
    address: str,
    *,
    architecture: str | None,
    save: str | None,
    form: str | None,
    engines: str,
    overwrite: bool,
    json: bool,
    **how: Any,
) -> int:
    """Run the job, print what came of it, and return how many pictures could not be used.

    ``how`` are fields of residua.cluster.predict.job.Wanted.
    """
    from residua.base.errors import SettingError
    from residua.cli.cluster.options import read_range
    from residua.cli.cluster.stopping import going_on
    from residua.cluster.connect import connected, import_ray
    from residua.zoo.weights.resolve import open_bundle

    import_ray(address)
    from residua.cluster.predict import flow
    from residua.cluster.predict.job import Wanted, opened
    from residua.cluster.storage import locate

    if not save:
        raise SettingError(
            "On a cluster results are files in a folder.",
            next_step="Name it: --save results (or s3://…), and --format parquet or json.",
        )
    wanted = Wanted(form=_choose_form(form), engines=read_range(engines, "--engines"), **how)
    bundle = open_bundle(model, architecture=architecture)
    with opened(images, bundle, locate(save), wanted, overwrite=overwrite, say=_say) as job:
        if not job.finished:
            with connected(address) as cluster, going_on():
                _say(f"On {cluster}.")
                flow.run(job, cluster)
        summary = job.conclude()
    _print(summary, save, json=json)
    return summary.bad


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _choose_form(given: str | None) -> "Form":
    from residua.base.errors import UnknownNameError

    match given:
        case None | "parquet":
            return "parquet"
        case "json":
            return "json"
    raise UnknownNameError("format on a cluster", given, ["parquet", "json"])


def _print(summary: "Summary", save: str, *, json: bool) -> None:
    from json import dumps

    from residua.base.words import count_of

    if json:
        record = {"images": summary.rows, "unusable": summary.bad, "reasons": summary.reasons}
        typer.echo(dumps({**record, "results": save}))
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.reasons.items())
    typer.echo(f"{count_of(summary.rows, 'picture')}; the results are in {save}.")
    if summary.bad:
        typer.echo(f"{summary.bad} could not be used: {reasons}.", err=True)
