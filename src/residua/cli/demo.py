"""residua demo: the whole way once, on real pictures, in under a minute on two cores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from residua.data.source import Source
    from residua.evaluate.run import Evaluation
    from residua.predict.results import Prediction
    from residua.train.recipe.tree import Recipe

_SHOWN = 5  # predictions


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the pictures and the bundle.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another run.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = 8,
) -> None:
    """Train a ResNet18_vd on handwritten digits from scratch, evaluate, export, predict with it.

    Takes under a minute on two cores and ends above 97 % of the digits right. The pictures are
    those of scikit-learn: pip install 'residua[demo]'.
    """
    import time

    from residua.base.clock import spell_seconds
    from residua.bundle.store import read_bundle
    from residua.cli.export_lines import spell_outcome
    from residua.data.digits import write_digits
    from residua.data.sources.parts import open_parts
    from residua.export.run import export_bundle
    from residua.predict.classifier import Classifier
    from residua.train.display import Display
    from residua.train.run import train

    started = time.monotonic()
    pictures, bundle = output / "digits", output / "digits.bundle"
    count = write_digits(pictures)
    typer.echo(f"1. Wrote {count} handwritten digits as pictures to {pictures}/{{train,val}}/0…9.")
    recipe = make_recipe(seed=seed, epochs=epochs)
    parts = open_parts(pictures, recipe.data)
    typer.echo(f"2. Training a narrow ResNet18_vd on {len(parts.training)} of them …")
    trained = train(
        recipe, parts, output=bundle, overwrite=True, display=Display(),
        run_folder=bundle.with_suffix(".run"), restart=True,
    )  # fmt: skip
    typer.echo(f"   … and wrote it to {trained.bundle.path}.")
    typer.echo(f"3. {_describe(trained.evaluation)}")
    for outcome in export_bundle(read_bundle(bundle), ["openvino"]):
        typer.echo(
            f"4. Exported it, and compared that with the network:\n   {spell_outcome(outcome)}"
        )
    files = _choose(parts.validation.names, pictures / "val")
    classifier = Classifier(read_bundle(bundle))
    typer.echo(f"5. Predictions of the bundle ({classifier.engine.name}):")
    for prediction in classifier.predict(files):
        typer.echo(f"   {_spell(prediction)}")
    page = write_report(bundle, parts.validation, output / "report.html")
    typer.echo(f"6. All of it on one page, with the worst mistakes: {page}")
    typer.echo(f"Done in {spell_seconds(time.monotonic() - started)}. Try next:")
    typer.echo(_suggest(bundle, pictures))


def write_report(bundle: Path, validation: "Source", page: Path) -> Path:
    """Write the report of the bundle, with the curves of its run, and return where it is."""
    from residua.report.collect import collect
    from residua.report.history import find_subject
    from residua.report.html import render

    page.write_text(render(collect(find_subject(str(bundle)), validation)), encoding="utf-8")
    return page


def make_recipe(*, seed: int, epochs: int) -> "Recipe":
    """Return the recipe of the demo: 16 pixels, a quarter of the widths, digits never mirrored.

    The digits are 8x8, so larger crops cost more and show no more.
    """
    from residua.data.settings import AugmentPart, CropPart
    from residua.train.recipe.descent import OptimiserPart, SchedulePart
    from residua.train.recipe.tree import LoopPart, ModelPart, Recipe

    return Recipe(
        model=ModelPart(
            name="ResNet18_vd", small_images=True, widths=(16, 32, 64, 128), stem_width=16
        ),
        augment=AugmentPart(image_size=16, crop=CropPart(scale=(0.6, 1.0)), flip=0.0),
        optimiser=OptimiserPart(lr=0.1),
        schedule=SchedulePart(warmup_epochs=epochs / 10),
        loop=LoopPart(epochs=epochs, batch_size=64, seed=seed),
    )


def _describe(evaluation: "Evaluation") -> str:
    tally = evaluation.tally
    return (
        f"Of {tally.total} digits that it was not trained on it names {int(tally.right.sum())} "
        f"right: {tally.top1:.2%}."
    )


def _choose(names: tuple[str, ...], root: Path) -> list[Path]:
    """Return a few files, of different classes."""
    step = max(1, len(names) // _SHOWN)
    return [root / name for name in names[step // 2 :: step][:_SHOWN]]


def _spell(prediction: "Prediction") -> str:
    if not prediction.ok:
        return f"{prediction.filename}: {prediction.error}"
    return f"{prediction.filename}: {prediction.label_names[0]} ({prediction.scores[0]:.1%})"


def _suggest(bundle: Path, pictures: Path) -> str:
    return "\n".join(
        [
            f"  residua predict {pictures / 'val'} --model {bundle}",
            f"  residua evaluate {bundle} {pictures}",
            "  residua train YOUR_FOLDER --model ResNet18_vd        one folder of pictures a class",
            "  residua train YOUR_FOLDER --pretrained ResNet18_vd   far better with few pictures",
        ]
    )
