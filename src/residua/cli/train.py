"""residua train: from a folder of pictures to a bundle."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from residua.cli import train_options as option
from residua.cli.cluster.options import Cluster, need_cluster, refuse
from residua.cli.cluster.train import Storage, Threads, Workers, make_trainer
from residua.cli.fixing import fit_to_size, tell_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from residua.data.source import Parts
    from residua.train.display import Display
    from residua.train.recipe.compose import Wishes
    from residua.train.recipe.tree import Recipe
    from residua.train.run import Trained

    Trainer = Callable[..., Any]  # called as residua.train.run.train is


def train(
    data: option.Data,
    val: option.Val = "",
    val_fraction: option.ValFraction = None,
    multi_label: option.MultiLabel = False,
    image_size: option.ImageSize = None,
    model: option.Model = "",
    pretrained: option.Pretrained = "",
    freeze: option.Freeze = None,
    fix: option.Fix = "",
    size: option.Size = None,
    config: option.Config = "",
    override: option.Override = None,
    epochs: option.Epochs = None,
    batch_size: option.BatchSize = None,
    lr: option.Rate = None,
    weight_decay: option.WeightDecay = None,
    warmup_epochs: option.Warmup = None,
    mixup: option.Mixup = None,
    label_smoothing: option.Smoothing = None,
    seed: option.Seed = None,
    quantise: option.Quantise = False,
    find_lr: option.FindRate = False,
    output: option.Output = None,
    overwrite: option.Overwrite = False,
    restart: option.Restart = False,
    budget: option.TimeBudget = "",
    track: option.Track = None,
    json: option.Json = False,
    device: option.Device = "auto",
    precision: option.Precision = None,
    cluster: Cluster = "",
    workers: Workers = "",
    threads: Threads = None,
    storage: Storage = "",
) -> None:
    """Train a classifier on pictures and write it as a bundle.

    With nothing but DATA: fine-tunes pretrained weights, holds out a validation part, chooses batch
    and precision for the machine, and says beforehand how long it will take.

    An interrupted run (a crash, SIGTERM, Ctrl-C) goes on exactly with the same command. Several
    processes: torchrun --nproc-per-node N -m residua train DATA … Several machines: the same with
    --nnodes, or --cluster (docs/cluster.md).
    """
    from residua.train.recipe.compose import Wishes

    given = SimpleNamespace(**locals())
    flags = _read_flags(given)
    wishes = Wishes(*fit_to_size(fix, size, config, flags), tuple(override or ()))
    output = output or Path(f"{_stem(data)}.bundle")
    trainer = tell_before(fix, size) if fix and size else None
    run(
        data, val, wishes, output, device=device, overwrite=overwrite, restart=restart,
        find_lr=find_lr, json=json, trainer=_find_trainer(given, wishes) or trainer,
    )  # fmt: skip


def _find_trainer(given: SimpleNamespace, wishes: "Wishes") -> "Trainer | None":
    """Return what trains on the cluster that was named."""
    from residua.train.recipe.compose import find_data_part

    if not given.cluster:
        need_cluster(workers=given.workers, threads=given.threads, storage=given.storage)
        return None
    refuse(find_lr=given.find_lr, device=given.device == "cuda")
    return make_trainer(
        given.cluster, given.data, given.val, find_data_part(wishes), given.workers,
        given.threads, given.storage,
    )  # fmt: skip


def _read_flags(given: SimpleNamespace) -> dict[str, Any]:
    """Return what the options say of the recipe, by its keys; None says nothing."""
    from residua.train.plan.budget import read_minutes

    return {
        "model.name": given.model or None, "model.pretrained": given.pretrained or None,
        "model.freeze": given.freeze, "loop.epochs": given.epochs, "loop.seed": given.seed,
        "loop.batch_size": given.batch_size, "loop.budget_minutes": read_minutes(given.budget),
        "augment.image_size": given.image_size, "augment.mix.mixup": given.mixup,
        "optimiser.lr": given.lr, "optimiser.weight_decay": given.weight_decay,
        "output.track": given.track or None, "schedule.warmup_epochs": given.warmup_epochs,
        "loss.label_smoothing": given.label_smoothing, "precision.compute": given.precision,
        "precision.quantise": given.quantise or None, "data.val_fraction": given.val_fraction,
        "data.multi_label": given.multi_label or None,
    }  # fmt: skip


def run(
    data: str,
    val: str,
    wishes: "Wishes",
    output: Path,
    *,
    device: str,
    overwrite: bool,
    restart: bool,
    json: bool,
    find_lr: bool = False,
    trainer: "Trainer | None" = None,
    show: "Callable[..., None] | None" = None,
) -> None:
    """Train on ``data`` as ``wishes`` say, then print what came of it (the first process does).

    ``trainer`` is called in place of ``residua.train.run.train``, and ``show`` prints what it gave.
    """
    from residua.data.sources.parts import open_parts
    from residua.evaluate.ranks import joining
    from residua.train.display import Display
    from residua.train.recipe.compose import compose_recipe, find_data_part
    from residua.train.run import check_output
    from residua.train.update.precision import choose_device

    with joining(device) as ranks:
        display = Display(quiet=not ranks.first)
        if not find_lr:
            check_output(output, overwrite=overwrite)
        parts = open_parts(data, find_data_part(wishes), validation=val or None)
        say_parts(parts, display)
        gpu = choose_device(device).type == "cuda"
        choice = compose_recipe(wishes, parts.training, gpu=gpu)
        for note in choice.notes:
            display.say(note)
        if find_lr:
            show_rates(choice.recipe, parts, device=device, display=display, json=json)
            return
        trained = train_parts(
            choice.recipe, parts, output, trainer=trainer,
            overwrite=overwrite, restart=restart, device=device, ranks=ranks, display=display,
        )  # fmt: skip
        if ranks.first:
            (show or _print)(trained, parts, val or data, json=json)


def train_parts(
    recipe: "Recipe", parts: "Parts", output: Path, *, trainer: "Trainer | None" = None, **how: Any
) -> Any:
    """Return what training gave; an interruption ends the command in a sentence.

    ``trainer`` is called in place of ``residua.train.run.train``, with ``how``.
    """
    from residua.base.errors import StoppedError
    from residua.train.run import train as run_plainly

    try:
        return (trainer or run_plainly)(
            recipe, parts, output=output, run_folder=output.with_suffix(".run"), **how
        )
    except StoppedError as error:
        if how["ranks"].first:  # all have stopped at the same update
            typer.echo(f"\n{error}", err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted: {output} was not written.", err=True)
        raise typer.Exit(130) from None


def show_rates(
    recipe: "Recipe", parts: "Parts", *, device: str, display: "Display", json: bool
) -> None:
    """Try learning rates, and print the curve and the suggestion."""
    from json import dumps

    from residua.train.plan.find_lr import try_rates

    found = try_rates(recipe, parts, device=device, display=display)
    if json:
        record = {"suggestion": found.suggestion, "rates": found.rates, "losses": found.losses}
        typer.echo(dumps(record))
        return
    typer.echo(found.draw())
    typer.echo(
        f"Suggested: {found.suggestion:.2g} for batches of {recipe.loop.batch_size} "
        f"(the recipe has {recipe.optimiser.lr:.2g}). Train with: --lr {found.suggestion:.2g}"
    )


def say_parts(parts: "Parts", display: "Display") -> None:
    """Say how many pictures and classes there are, and what was noted on them."""
    from residua.base.words import count_of

    display.say(
        f"{count_of(len(parts.training), 'picture')} to train on, {len(parts.validation)} to "
        f"validate, {count_of(len(parts.training.classes), 'class', 'classes')}."
    )
    for note in dict.fromkeys(parts.training.notes + parts.validation.notes):
        display.say(f"Note: {note}")


def _stem(data: str) -> str:
    """Return a name for the bundle: that of the folder or file, without its suffix."""
    name = Path(data.removeprefix("hf://")).resolve().name
    return Path(name.split("{", 1)[0].rstrip("-*_")).stem or "model"


def _print(trained: "Trained", parts: "Parts", data: str, *, json: bool) -> None:
    from dataclasses import replace
    from json import dumps

    from residua.evaluate.table import as_record, render

    if json:
        validation = as_record(trained.evaluation, parts.validation)
        typer.echo(dumps(as_record_of(trained) | {"validation": validation}, ensure_ascii=False))
    else:
        said = {*parts.training.notes, *parts.validation.notes}  # when it began
        new = tuple(note for note in trained.evaluation.notes if note not in said)
        typer.echo(render(replace(trained.evaluation, notes=new), parts.validation))
        typer.echo(_describe(trained, data, said))


def as_record_of(trained: "Trained") -> dict[str, Any]:
    """Return the run as plain JSON values."""
    metrics, manifest = trained.metrics, trained.bundle.manifest
    return {
        "bundle": str(trained.bundle.path),
        "run": str(trained.bundle.path.with_suffix(".run")),
        "model": manifest.architecture.name,
        "classes": list(manifest.classes.names),
        "precision": trained.precision.name,
        "epoch": trained.epoch,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "images": metrics.images,
        "epochs": [report.as_record() for report in trained.epochs],
        "notes": list(trained.notes),
    }


def _describe(trained: "Trained", data: str, said: set[str]) -> str:
    """Return the end of a run in words, with what to try next."""
    path = trained.bundle.path
    notes = [f"Note: {note}" for note in trained.notes if note not in said]
    last = trained.epochs[-1].epoch
    which = "the last epoch" if trained.epoch == last else f"epoch {trained.epoch}, the best"
    return "\n".join(
        [
            "",
            *notes,
            f"Wrote {path}, with the weights of {which} (the run: {path.with_suffix('.run')}).",
            "Next:",
            f"  residua predict PICTURES --model {path}",
            f"  residua evaluate {path} {data}",
            f"  residua report {path} {data}",
        ]
    )
