"""``residua soup``: the mean of several trainings of one network, as long as it helps."""

from pathlib import Path
from typing import Annotated

import typer

Bundles = Annotated[
    list[str],
    typer.Argument(help="Bundles of one network and the same classes.", metavar="BUNDLES…"),
]
Data = Annotated[str, typer.Option(help="The data set; its validation part decides who joins.")]
Val = Annotated[str, typer.Option(help="Where the validation pictures are; default: found, split.")]
Output = Annotated[Path, typer.Option("--output", help="The bundle to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the bundle.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")]


def soup(
    bundles: Bundles,
    data: Data,
    val: Val = "",
    output: Output = Path("soup.bundle"),
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Average the weights of several trainings, greedily by validation.

    The best bundle begins; each other joins the mean if the mean is then no worse. It is for
    trainings that began with the same weights (other seeds, rates, augmentations): often the mean
    is better than each of them, and costs no more to run.

    For example:

      residua soup seed0.bundle seed1.bundle seed2.bundle --data photos/
    """
    from json import dumps

    from residua.bundle.store import write_bundle
    from residua.data.sources.parts import open_parts
    from residua.distil.soup import cook, spell_figures
    from residua.evaluate.model import add_metrics
    from residua.evaluate.part import recall
    from residua.train.run import check_output
    from residua.zoo.weights.resolve import open_bundle

    check_output(output, overwrite=overwrite)
    opened = [open_bundle(each) for each in bundles]
    manifest = opened[0].manifest
    parts = open_parts(data, recall(manifest), validation=val or None, classes=manifest.classes)
    found = cook(opened, parts.validation, say=lambda text: typer.echo(text, err=True))
    joined = [str(each.bundle.path) for each in found.tasted if each.joined]
    best = found.tasted[0].bundle.manifest
    note = f"The mean of {len(joined)} trainings: {', '.join(joined)}."
    if len(joined) == 1:
        note = f"No other joined: the weights are those of {joined[0]}."
    provenance = best.provenance.model_copy(
        update={"made_by": "residua soup", "notes": (note, *best.provenance.notes)}
    )
    metrics = add_metrics(best, found.metrics)
    described = best.model_copy(update={"provenance": provenance, "metrics": metrics})
    write_bundle(output, described, found.tensors, overwrite=overwrite)
    figures = found.metrics.model_dump(exclude_none=True)
    if json:
        typer.echo(dumps({"bundle": str(output), "joined": joined, "metrics": figures}))
        return
    typer.echo(f"{note}\nWritten: {output}, validated: {spell_figures(found.metrics)}.")
