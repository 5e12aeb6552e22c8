"""residua train: from a folder of pictures to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.train.recipe import Recipe
    from residua.train.run import Trained

Folder = Annotated[
    Path, typer.Argument(help="A folder with one folder of pictures a class, or train/ + val/.")
]
Model = Annotated[
    str,
    typer.Option(help="The network, from: residua models. With --pretrained it may be left out."),
]
Pretrained = Annotated[
    str, typer.Option(help="Start from these weights: a name of the zoo, a bundle or a file.")
]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the pictures.")]
Output = Annotated[Path | None, typer.Option(help="The bundle to write; default FOLDER.bundle.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the bundle if it exists.")]
BatchSize = Annotated[
    int | None, typer.Option(min=2, help="Pictures a step; 64 from scratch, 32 to fine-tune.")
]
ImageSize = Annotated[int, typer.Option(min=8, help="Side of the crops, in pixels.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate; follows the batch.")]
WeightDecay = Annotated[float | None, typer.Option(help="L2 decay of the weights.")]
Warmup = Annotated[float | None, typer.Option(help="Epochs of linear warm-up.")]
Mixup = Annotated[float | None, typer.Option(help="Alpha of mixup; 0 is off.")]
Smoothing = Annotated[float | None, typer.Option(help="Label smoothing, 0 to 1.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same weights.")]
ValFraction = Annotated[float, typer.Option(help="Held out of a folder without train/ and val/.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def train(
    folder: Folder,
    model: Model = "",
    pretrained: Pretrained = "",
    epochs: Epochs = 10,
    output: Output = None,
    overwrite: Overwrite = False,
    batch_size: BatchSize = None,
    image_size: ImageSize = 224,
    lr: Rate = None,
    weight_decay: WeightDecay = None,
    warmup_epochs: Warmup = None,
    mixup: Mixup = None,
    label_smoothing: Smoothing = None,
    precision: Precision = "auto",
    device: Device = "auto",
    seed: Seed = 0,
    val_fraction: ValFraction = 0.2,
    json: Json = False,
) -> None:
    """Train a classifier on a folder of pictures and write it as a bundle.

    Writes the bundle at the end, whole or not at all, and the run line by line beside it, into
    NAME.training.jsonl.
    """
    from residua.base.errors import SettingError
    from residua.train.presets import fine_tune, from_scratch
    from residua.train.recipe_file import change

    if not (model or pretrained):
        raise SettingError(
            "Neither a network nor pretrained weights were given.",
            next_step="Add --model NAME (from: residua models), or --pretrained NAME.",
        )
    if pretrained:
        recipe = fine_tune(
            pretrained, model=model, epochs=epochs, batch_size=batch_size or 32,
            image_size=image_size,
        )  # fmt: skip
    else:
        recipe = from_scratch(
            model, epochs=epochs, batch_size=batch_size or 64, image_size=image_size
        )
    changes = {
        "optimiser.lr": lr, "optimiser.weight_decay": weight_decay,
        "schedule.warmup_epochs": warmup_epochs, "augment.mix.mixup": mixup,
        "loss.label_smoothing": label_smoothing, "precision.compute": precision,
        "loop.seed": seed, "data.val_fraction": val_fraction,
    }  # fmt: skip
    output = output or Path(f"{folder.resolve().name}.bundle")
    run(folder, change(recipe, changes), output, overwrite=overwrite, device=device, json=json)


def run(
    folder: Path, recipe: "Recipe", output: Path, *, overwrite: bool, device: str, json: bool
) -> None:
    """Train as ``recipe`` says on ``folder``, then print what came of it."""
    from json import dumps

    from residua.data.folder import read_parts
    from residua.evaluate.table import as_record, render
    from residua.train.display import Display
    from residua.train.run import train as run_training

    display = Display()
    parts = read_parts(folder, fraction=recipe.data.val_fraction, seed=recipe.data.split_seed)
    display.say(
        f"{len(parts.training)} pictures to train on, {len(parts.validation)} to validate, "
        f"{len(parts.training.classes)} classes."
    )
    for note in dict.fromkeys(parts.training.notes + parts.validation.notes):
        display.say(f"Note: {note}")
    try:
        trained = run_training(
            recipe, parts, output=output, overwrite=overwrite, device=device, display=display,
            record=output.with_suffix(".training.jsonl"),
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo(f"\nInterrupted: {output} was not written.", err=True)
        raise typer.Exit(130) from None
    if json:
        validation = as_record(trained.evaluation, parts.validation)
        typer.echo(dumps(_as_record(trained) | {"validation": validation}, ensure_ascii=False))
    else:
        typer.echo(render(trained.evaluation, parts.validation))
        typer.echo(_describe(trained, folder))


def _as_record(trained: "Trained") -> dict[str, Any]:
    """Return the run as plain JSON values."""
    metrics, manifest = trained.metrics, trained.bundle.manifest
    return {
        "bundle": str(trained.bundle.path),
        "model": manifest.architecture.name,
        "classes": list(manifest.classes.names),
        "precision": trained.precision.name,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "loss": metrics.loss,
        "images": metrics.images,
        "epochs": [
            {
                "epoch": report.epoch,
                "train_loss": report.loss,
                "images_per_second": report.images_per_second,
                "top1": report.metrics.top1,
                "loss": report.metrics.loss,
            }
            for report in trained.epochs
        ],
        "notes": list(trained.notes),
    }


def _describe(trained: "Trained", folder: Path) -> str:
    """Return the end of a run in words, with what to try next."""
    path = trained.bundle.path
    notes = [f"Note: {note}" for note in trained.notes]
    return "\n".join(
        [
            "",
            *notes,
            f"Wrote {path} (the run line by line: {path.with_suffix('.training.jsonl')}).",
            "Next:",
            f"  residua predict PICTURES --model {path}",
            f"  residua evaluate {path} {folder}",
        ]
    )
