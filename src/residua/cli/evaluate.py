"""residua evaluate: the figures of a classifier on labelled pictures; calibration; test size."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from residua.cli.counting import (
    BatchSize,
    Data,
    Device,
    Json,
    Part,
    Reading,
    end,
    print_either,
    read_as,
)  # fmt: skip
from residua.cli.refusals import (
    check_options,
    refuse_foreign,
    refuse_multi_label,
    refuse_trained_on,
)

if TYPE_CHECKING:
    from residua.bundle.schema import Calibration
    from residua.bundle.store import Bundle
    from residua.data.source import Source
    from residua.evaluate.ranks import Ranks
    from residua.evaluate.run import Evaluation

Model = Annotated[str, typer.Argument(help="A bundle, a name of the zoo or a weight file.")]
Sizes = Annotated[
    str,
    typer.Option(
        help="Test these sizes, and the present one: 160..320, 160..320:16 or 160,192,224."
    ),
]
WriteSize = Annotated[
    bool,
    typer.Option("--write-size", help="Write the best of --sizes, or its only one, to the bundle."),
]
Calibrate = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Fit the temperature of the probabilities to DATA (held out from training) and store "
        "it in the bundle.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Write what --calibrate or --write-size change into a copy here."
    ),
]
Predictions = Annotated[
    Path | None,
    typer.Option("--save-predictions", help="Write each picture's answers: .csv, .jsonl."),
]
EngineName = Annotated[str, typer.Option("--engine", help="auto, openvino, onnxruntime, torch, …")]
Precision = Annotated[
    str, typer.Option(help="fp32, bf16, fp16, int8 (of an export), or fastest of them.")
]
Matrix = Annotated[
    Path | None, typer.Option("--confusion", help="Write the confusion matrix to this .csv file.")
]


def evaluate(
    model: Model,
    data: Data,
    part: Part = "auto",
    override: Reading = None,
    batch_size: BatchSize = 32,
    engine: EngineName = "auto",
    precision: Precision = "fp32",
    device: Device = "auto",
    sizes: Sizes = "",
    write_size: WriteSize = False,
    calibrate: Calibrate = False,
    output: Output = None,
    save_predictions: Predictions = None,
    confusion: Matrix = None,
    json: Json = False,
) -> None:
    """Count how often a classifier is right: top-1, top-5, loss, calibration, and each class.

    Classes are matched by name (or id). Each picture counts once; one that cannot be read is
    listed with its reason, enters no figure, and makes the exit code 3. Several processes (then
    the exit code is 0): torchrun --nproc-per-node N -m residua evaluate BUNDLE DATA. By a
    PaddleClas configuration: residua evaluate -c CONFIG
    """
    from residua.evaluate.part import open_part
    from residua.evaluate.ranks import joining
    from residua.evaluate.resolution import read_sizes
    from residua.zoo.weights.resolve import open_bundle

    check_options(
        sizes, write_size=write_size, calibrate=calibrate, output=output,
        predictions=save_predictions, confusion=confusion, chosen=(engine, precision),
    )  # fmt: skip
    wanted = read_sizes(sizes) if sizes else ()
    with joining(device) as ranks:
        bundle = open_bundle(model)
        if (calibrate or write_size) and output is None:
            refuse_foreign(bundle, model)
        if confusion:
            refuse_multi_label(bundle)
        source, which = open_part(data, bundle.manifest, part, settings=read_as(override))
        if calibrate:
            refuse_trained_on(bundle, source)
        if ranks.first:
            typer.echo(which, err=True)
        if wanted:
            evaluation, text, record = _sweep(
                bundle, source, wanted, device, batch_size, ranks, write=write_size, output=output
            )
        else:
            evaluation, text, record = _count(
                bundle, source, device, batch_size, ranks, calibrating=calibrate, output=output,
                keep=save_predictions is not None, runtime=engine, precision=precision,
            )  # fmt: skip
        if not ranks.first:
            return
        _save(evaluation, source, save_predictions, confusion)
        print_either(text, {"model": model, **record}, json=json)
    end(len(evaluation.failures), ranks)


def _count(
    bundle: "Bundle",
    source: "Source",
    device: str,
    batch_size: int,
    ranks: "Ranks",
    *,
    calibrating: bool,
    output: Path | None,
    keep: bool,
    runtime: str,
    precision: str,
) -> tuple["Evaluation", str, dict[str, Any]]:
    """Return the evaluation, as text and as a record; calibrate the bundle if that is wished."""
    from residua.bundle.store import amend_bundle
    from residua.evaluate.calibrate import calibrate
    from residua.evaluate.model import (
        add_metrics,
        evaluate_bundle,
        open_network,
        without_calibration,
    )
    from residua.evaluate.table import as_record, render

    opened = without_calibration(bundle) if calibrating else bundle
    engine = open_network(opened, device=device, ranks=ranks, engine=runtime, precision=precision)
    evaluation = evaluate_bundle(
        opened, source, engine, batch_size=batch_size, ranks=ranks, show_progress=True,
        keep_probabilities=calibrating or keep,
    )  # fmt: skip
    calibration, old = bundle.manifest.calibration, bundle.manifest.calibration.temperature
    lines = []
    if calibrating:
        evaluation, calibration = calibrate(evaluation, source)
        if ranks.first:
            metrics = add_metrics(bundle.manifest, evaluation.metrics)
            changes = {"calibration": calibration, "metrics": metrics}
            written = amend_bundle(bundle, changes, output=output)
            lines = [_spell(calibration, old, written.path)]
    elif old != 1:
        lines = [f"\nThe probabilities are calibrated: temperature {old:.4g}."]
    record = {
        "engine": engine.name,
        **as_record(evaluation, source),
        "calibration": calibration.model_dump(mode="json", exclude_none=True),
    }
    return evaluation, "\n".join([render(evaluation, source), *lines]), record


def _spell(calibration: "Calibration", old: float, path: Path) -> str:
    """Say what calibration changed."""
    return (
        f"\nCalibrated: temperature {calibration.temperature:.4g} (was {old:.4g}), written to "
        f"{path}.\nBefore (temperature 1) and after, on these pictures:\n"
        f"  loss  {calibration.loss_before:.4f}  {calibration.loss:.4f}\n"
        f"  ECE   {calibration.ece_before:.2%}  {calibration.ece:.2%}\n"
        "Pictures that the network was trained on would make it too sure: they must be held out."
    )


def _save(
    evaluation: "Evaluation", source: "Source", predictions: Path | None, confusion: Path | None
) -> None:
    """Write the files that were asked for."""
    from residua.base.files import write_atomic
    from residua.evaluate.confusion import spell_matrix
    from residua.evaluate.scores import save_scores

    if predictions and evaluation.scores:
        save_scores(predictions, evaluation.scores, source)
    if confusion:
        text = spell_matrix(evaluation.tally.confusion, source.classes.names)
        write_atomic(confusion, text.encode("utf-8", "backslashreplace"))


def _sweep(
    bundle: "Bundle",
    source: "Source",
    sizes: tuple[int, ...],
    device: str,
    batch_size: int,
    ranks: "Ranks",
    *,
    write: bool,
    output: Path | None,
) -> tuple["Evaluation", str, dict[str, Any]]:
    """Return the evaluation at the best size, and all sizes as text and as a record."""
    from residua.bundle.store import amend_bundle
    from residua.evaluate.model import add_metrics
    from residua.evaluate.resolution import choose, sweep
    from residua.evaluate.verdict import record_sizes, render_sizes

    present = bundle.manifest.preprocess.crop_size
    trials = sweep(
        bundle, source, sorted({*sizes, present}), batch_size=batch_size, device=device,
        ranks=ranks, show_progress=True,
    )  # fmt: skip
    chosen, reason = choose(trials, present)
    if write and len(sizes) == 1:
        chosen = next(trial for trial in trials if trial.size == sizes[0])
        reason = f"{chosen.size} pixels, as asked."
    text = render_sizes(trials, source, chosen, reason)
    if write and ranks.first:
        manifest, metrics = bundle.manifest, chosen.evaluation.metrics
        note = f"Test size {chosen.size} chosen on {metrics.data}: {reason}"
        notes = (*manifest.provenance.notes, note)
        changes = {
            "preprocess": chosen.preprocess,
            "metrics": add_metrics(manifest, metrics),
            "provenance": manifest.provenance.model_copy(update={"notes": notes}),
        }
        written = amend_bundle(bundle, changes, output=output)
        text += f"\n\nWrote {chosen.size} pixels into {written.path}."
    return chosen.evaluation, text, record_sizes(trials, chosen, reason)
