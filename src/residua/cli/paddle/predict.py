"""residua predict -c CONFIGURATION: what tools/infer.py and python/predict_cls.py print."""

from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from residua.cli.paddle.reading import Config, Json, Override, Profiler, read_theirs, tell
from residua.cli.predict import UNREADABLE

if TYPE_CHECKING:
    from residua.bundle.store import Bundle
    from residua.compat.inference import Inference


def predict(
    config: Config,
    override: Override = None,
    profiler_options: Profiler = "",  # noqa: ARG001  # PaddleClas's own, left
    json: Json = False,
) -> None:
    """Predict Infer.infer_imgs, or with a configuration of deploy/configs Global.infer_imgs.

    Printed is what tools/infer.py and python/predict_cls.py print.
    """
    from residua.compat.inference import (
        adapt,
        is_deployment,
        read_deployment,
        read_inference,
    )
    from residua.compat.weights import open_source, open_weights, resolve

    if environ.get("RANK", "0") != "0":
        return  # one of torchrun's processes: the first predicts
    configuration = read_theirs(config, override)
    deployed = is_deployment(configuration)
    if deployed:
        folder, wanted = read_deployment(configuration)
        opened = open_source(resolve(folder))
    else:
        wanted = read_inference(configuration)
        opened = open_weights(configuration)
    if not wanted.images:
        where = "Global" if deployed else "Infer"
        raise configuration.whole.part(where).refused(
            "infer_imgs", "is missing", f"Give -o {where}.infer_imgs=FILE or a folder."
        )
    bundle = adapt(opened.bundle, wanted, configuration, own=opened.own)
    configuration.hear()
    tell(configuration)
    unreadable = _print_predictions(bundle, wanted, deployed=deployed, json=json)
    if unreadable:
        raise typer.Exit(UNREADABLE)


def _print_predictions(bundle: "Bundle", wanted: "Inference", *, deployed: bool, json: bool) -> int:
    """Print the predictions as they come, and return how many pictures could not be used."""
    from json import dumps

    from residua.compat.answers import answer
    from residua.compat.lines import as_tool, in_batches, spell_deployed
    from residua.compat.wheel import write_results
    from residua.predict.classifier import Classifier
    from residua.predict.writers import spell_safely

    classifier = Classifier(
        bundle, engine=wanted.engine, device=wanted.device, precision=wanted.precision,
        threads=wanted.threads,
    )  # fmt: skip
    predictions = answer(
        classifier, wanted.images, top_k=wanted.top_k, threshold=wanted.threshold,
        decision=wanted.decision, batch_size=wanted.batch_size,
    )  # fmt: skip
    unreadable, kept = 0, []
    for batch in in_batches(predictions, wanted.batch_size):
        unreadable += sum(not prediction.ok for prediction in batch)
        records = [as_tool(prediction) for prediction in batch]
        kept += records if wanted.save else []
        if json:
            lines = [dumps(record, ensure_ascii=False) for record in records]
        else:
            lines = [spell_deployed(p) for p in batch] if deployed else [str(records)]
        for line in lines:
            typer.echo(spell_safely(line))
    if wanted.save:
        typer.echo(f"Wrote {write_results(Path(wanted.save), kept)}.", err=True)
    return unreadable
