"""residua evaluate: the figures of a classifier on a folder of labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Argument(help="A bundle, a name of the zoo or a weight file.")],
    data: Annotated[
        Path, typer.Argument(help="A folder with one folder of pictures a class, or train/ + val/.")
    ],
    part: Annotated[
        str, typer.Option(help="auto, all, train or val; auto leaves out what was trained on.")
    ] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Pictures at a time; changes the speed, not the figures.")
    ] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Count how often a classifier is right: top-1, top-5, loss, and each class.

    Classes are matched by name (or id). Each picture counts once; one that cannot be read is
    listed with its reason, enters no figure, and makes the exit code 3.
    """
    from json import dumps

    from residua.data.cache import PixelCache
    from residua.data.view import EvaluationView
    from residua.engines.choose import open_engine
    from residua.evaluate.part import open_part
    from residua.evaluate.run import evaluate as run
    from residua.evaluate.table import as_record, render
    from residua.zoo.weights.resolve import open_bundle

    bundle = open_bundle(model)
    source, which = open_part(data, bundle.manifest, part)
    engine = open_engine(bundle, device=device)
    typer.echo(which, err=True)
    view = EvaluationView(source, bundle.manifest.preprocess, cache=PixelCache(0))
    result = run(engine.run, view, batch_size=batch_size, show_progress=True)
    if json:
        record = {"model": model, "engine": engine.name, **as_record(result, source)}
        typer.echo(dumps(record, ensure_ascii=False))
    else:
        typer.echo(render(result, source))
    if result.failures:
        raise typer.Exit(3)
