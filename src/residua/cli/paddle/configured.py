"""The commands that a PaddleClas configuration stands for, in place of the usual ones."""

import typer

from residua.cli.paddle import evaluate, export, predict, train

app = typer.Typer(
    name="residua",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What PaddleClas's tools do, by its configurations.",
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
