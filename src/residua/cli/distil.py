"""``residua distil``: a student learns from a teacher's answers; and the choice of pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from residua.cli import distil_options as of
from residua.cli import train_options as option
from residua.cli.cluster.options import ClusterCommand
from residua.cli.grouping import GroupedCommand
from residua.cli.mine import mine

if TYPE_CHECKING:
    from collections.abc import Callable

    from residua.data.source import Parts
    from residua.distil.chain import Chained
    from residua.train.recipe.tree import Recipe
    from residua.train.run import Trained


class RunByDefault(TyperGroup):
    """``residua distil DATA …`` is ``residua distil run DATA …``."""

    default_command = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before what begins with none."""
        if not args or args[0] not in self.commands:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(rich_markup_mode=None, cls=RunByDefault)


@app.command("run", cls=GroupedCommand, short_help="Train a student by a teacher (the default).")
def run(
    data: option.Data,
    teacher: of.Teacher = "",
    student: of.Student = "",
    recipe: of.Method = "",
    unlabelled: of.Unlabelled = "",
    teacher_precision: of.TeacherPrecision = None,
    teacher_norms: of.TeacherNorms = None,
    per_class: of.PerClass = None,
    threshold: of.Threshold = None,
    second_epochs: of.SecondEpochs = None,
    fix_size: of.FixSize = None,
    val: option.Val = "",
    val_fraction: option.ValFraction = None,
    image_size: option.ImageSize = None,
    pretrained: option.Pretrained = "",
    config: option.Config = "",
    override: option.Override = None,
    epochs: option.Epochs = None,
    batch_size: option.BatchSize = None,
    lr: option.Rate = None,
    weight_decay: option.WeightDecay = None,
    warmup_epochs: option.Warmup = None,
    mixup: option.Mixup = None,
    seed: option.Seed = None,
    output: of.Output = Path("student.bundle"),
    overwrite: option.Overwrite = False,
    restart: option.Restart = False,
    budget: option.TimeBudget = "",
    track: option.Track = None,
    json: option.Json = False,
    device: option.Device = "auto",
    precision: option.Precision = None,
) -> None:
    """Let a small network learn from a large one, and write it as a bundle.

    The teacher is frozen and sees what the student sees; its own size and mean are honoured, its
    classes matched by name. All else is residua train: any recipe (-c), exact going on, several
    processes.

    For example:

      residua distil photos/ --teacher big.bundle --student ResNet18

      residua distil photos/ --teacher big.bundle --student ResNet18 --recipe dist

      residua distil photos/ --teacher t.bundle --student ResNet18 --recipe ssld --unlabelled web/

      residua distil photos/ --student ResNet18 --recipe dml

    Besides: residua distil methods (what --recipe takes), residua distil mine (choosing pictures).
    """
    _run(dict(locals()))


def _run(options: dict[str, Any]) -> None:
    """Run what the options of the command, by their names, spell."""
    from residua.cli.train import run as run_training
    from residua.train.recipe.compose import Wishes

    _refuse_no_student(options)
    _refuse_unused(options)
    if options["recipe"].lower() == "ssld":
        trainer: Callable[..., Any] = _make_chain(options)
        show: Any = _show_stages
    else:
        trainer, show = _make_trainer(options["unlabelled"]), None
    wishes = Wishes(options["config"], _make_flags(options), tuple(options["override"] or ()))
    run_training(
        options["data"], options["val"], wishes, options["output"],
        device=options["device"], overwrite=options["overwrite"], restart=options["restart"],
        json=options["json"], trainer=trainer, show=show,
    )  # fmt: skip


# Options that are keys of the recipe under another name; None: not said.
_KEYS = {
    "teacher_precision": "distil.precision", "teacher_norms": "distil.statistics",
    "epochs": "loop.epochs", "seed": "loop.seed", "batch_size": "loop.batch_size",
    "image_size": "augment.image_size", "mixup": "augment.mix.mixup", "lr": "optimiser.lr",
    "weight_decay": "optimiser.weight_decay", "warmup_epochs": "schedule.warmup_epochs",
    "precision": "precision.compute", "val_fraction": "data.val_fraction",
}  # fmt: skip
_WORDS = {
    "teacher": "distil.teacher", "student": "model.name", "pretrained": "model.pretrained",
    "track": "output.track",
}  # fmt: skip


def _make_flags(options: dict[str, Any]) -> dict[str, Any]:
    """Return the method's settings, and over them what was said, by dotted key."""
    from residua.distil.methods import find_method
    from residua.train.plan.budget import read_minutes

    name = options["recipe"] or ("" if _brings_method(options["config"]) else "kd")
    flags: dict[str, Any] = dict(find_method(name).values) if name else {}
    said = {key: options[option] for option, key in _KEYS.items() if options[option] is not None}
    words = {key: options[option] or None for option, key in _WORDS.items()}
    return flags | said | words | {"loop.budget_minutes": read_minutes(options["budget"])}


def _make_trainer(unlabelled: str) -> "Callable[..., Trained]":
    """Return what trains a student once."""

    def distil_parts(recipe: "Recipe", parts: "Parts", **how: Any) -> "Trained":
        from residua.data.sources.unlabelled import open_unlabelled
        from residua.distil.run import distil

        more = open_unlabelled(unlabelled, parts.training.classes) if unlabelled else None
        if more is not None:
            how["display"].say(f"Besides them {len(more)} pictures without a label.")
        return distil(recipe, parts, unlabelled=more, **how)

    return distil_parts


def _make_chain(options: dict[str, Any]) -> "Callable[..., Chained]":
    """Return what runs the stages of SSLD, in a folder beside the bundle."""

    def run_stages(
        recipe: "Recipe", parts: "Parts", *, output: Path, run_folder: Path, **how: Any
    ) -> "Chained":
        from residua.distil.chain import Chain, run_chain
        from residua.distil.mine.run import Wanted

        wanted = Wanted(options["per_class"] or 1000, options["threshold"] or 0.0)
        published = options["config"].startswith("imagenet/")
        chain = Chain(
            options["unlabelled"], wanted, options["second_epochs"] or 0,
            fix_size=options["fix_size"] or 0,
            fix_recipe="imagenet/fix" if published else "fix-size",
        )  # fmt: skip
        work = run_folder.with_suffix(".ssld")
        return run_chain(recipe, parts, chain, output=output, work=work, **how)

    return run_stages


def _show_stages(chained: "Chained", parts: "Parts", data: str, *, json: bool) -> None:
    from json import dumps

    if json:
        stages = {each.name: each.metrics.model_dump(exclude_none=True) for each in chained.stages}
        record = {"bundle": str(chained.stages[-1].bundle.path), "stages": stages}
        typer.echo(dumps(record | {"mined": chained.mined}, ensure_ascii=False))
        return
    for stage in chained.stages:
        typer.echo(stage.spell())
    typer.echo(f"On {len(parts.validation)} validation pictures of {data}.")


@app.command("methods", short_help="The ways of distilling, a line each.")
def methods() -> None:
    """List what --recipe takes, with the settings that each was published with."""
    from residua.distil.methods import METHODS

    for name, method in METHODS.items():
        typer.echo(f"{name:9} {method.summary}")
        settings = ", ".join(
            f"{key.removeprefix('distil.')}={value}" for key, value in method.values.items()
        )
        typer.echo(f"          {settings}")


app.command("mine", cls=ClusterCommand, short_help="Choose unlabelled pictures by a teacher.")(mine)


def _refuse_no_student(options: dict[str, Any]) -> None:
    from residua.base.errors import SettingError

    if not (options["student"] or options["pretrained"] or options["config"]):
        raise SettingError(
            "Which network learns was not said.",
            next_step="Add --student ResNet18 (from scratch), or --pretrained WEIGHTS.",
        )


def _refuse_unused(options: dict[str, Any]) -> None:
    """Refuse options of SSLD's chain where no chain is run."""
    from residua.base.errors import SettingError

    if options["recipe"].lower() == "ssld":
        return
    said = [name for name in _OF_THE_CHAIN if options[name] is not None]
    if said:
        raise SettingError(
            f"--{said[0].replace('_', '-')} is of SSLD's chain.", next_step="Add --recipe ssld."
        )


def _brings_method(config: str) -> bool:
    """Tell whether a recipe says by what is learnt."""
    from residua.train.recipe.file import read_recipe_file

    return bool(config) and read_recipe_file(config).distil.method != "none"


_OF_THE_CHAIN = ("per_class", "threshold", "second_epochs", "fix_size")
