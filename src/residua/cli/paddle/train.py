"""residua train -c CONFIGURATION: what a PaddleClas configuration says is trained."""

import shlex
from typing import TYPE_CHECKING

import typer

from residua.cli.paddle.reading import Config, Json, Override, Profiler, read, tell

if TYPE_CHECKING:
    from residua.compat.config.read import Configuration
    from residua.train.run import Trained


def train(
    config: Config,
    override: Override = None,
    profiler_options: Profiler = "",  # noqa: ARG001  # PaddleClas's own, left
    json: Json = False,
) -> None:
    """Train what a PaddleClas configuration says, and write OUTPUT_DIR/NAME/best_model.bundle.

    An interrupted run goes on with the same command. Several cards or processes: torchrun
    --nproc-per-node 4 -m residua train -c CONFIG
    """
    from residua.cli.train import say_parts, train_parts
    from residua.compat.lists import open_both
    from residua.compat.training import (
        begins_anew,
        choose_classes,
        find_trainer,
        fit_precision,
        settle,
    )
    from residua.compat.translate.general import find_device, find_output
    from residua.compat.translate.whole import translate
    from residua.evaluate.ranks import joining
    from residua.train.display import Display

    configuration, ours = read(config, override)
    device = find_device(configuration.whole.part("Global"))
    output = find_output(configuration)
    with joining(device) as ranks:
        display = Display(quiet=not ranks.first)
        translation = translate(configuration, cards=ranks.world)
        recipe = fit_precision(translation.recipe, device, configuration.findings)
        recipe = settle(recipe, ours)
        tell(configuration, quiet=not ranks.first)
        classes = choose_classes(translation, recipe)
        parts = open_both(translation.training, translation.validation, classes)
        say_parts(parts, display)
        trained = train_parts(
            recipe, parts, output, trainer=find_trainer(recipe), overwrite=True,
            restart=begins_anew(configuration, recipe, parts, output), device=device,
            ranks=ranks, display=display,
        )  # fmt: skip
        if ranks.first:
            theirs = [text for text in override or () if text not in ours]
            _show_trained(trained, configuration, theirs, json=json)


def _show_trained(
    trained: "Trained", configuration: "Configuration", theirs: list[str], *, json: bool
) -> None:
    from json import dumps

    from residua.cli.train import as_record_of

    path = trained.bundle.path
    if json:
        typer.echo(dumps(as_record_of(trained), ensure_ascii=False))
        return
    best = trained.metrics.top1 if trained.metrics.top1 is not None else trained.metrics.map
    said = [word for text in theirs for word in ("-o", text)]
    said += ["-o", f"Global.pretrained_model={path.with_suffix('')}"]
    command = f"-c {shlex.join([str(configuration.path), *said])}"
    typer.echo(
        f"[Eval][Epoch {trained.epoch}][best metric: {best:.5f}]\n\nWrote {path}.\nNext:\n"
        f"  residua evaluate {command}\n  residua predict {command}\n  residua export {command}"
    )
