"""``residua``: the verbs, and what users see when something goes wrong.

Nothing here or at the top of a verb's file imports more than typer and the standard library, so
that ``residua --help`` answers at once (tests/contract holds the list of modules).
"""

import gc
import os
import sys
from typing import Annotated

import typer

from residua.base.errors import ResiduaError, StoppedError, spell_error
from residua.base.threads import wait_passively
from residua.base.version import __version__
from residua.cli import (
    bench,
    compare,
    data,
    demo,
    distil,
    evaluate,
    export,
    loadtest,
    models,
    predict,
    recipe,
    report,
    serve,
    soup,
    train,
    weights,
)
from residua.cli.cluster.options import ClusterCommand, GroupedClusterCommand
from residua.cli.paddle import dispatch, wheel

app = typer.Typer(
    name="residua",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help needs no rich: 0.1 s instead of 0.3 s
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: residua demo. Each verb explains itself: residua predict --help.",
)
app.command("demo", short_help="Train on handwritten digits, in about a minute.")(demo.demo)
app.command("predict", cls=ClusterCommand, short_help="Pictures in, classes out.")(predict.predict)
app.command(
    "train", cls=GroupedClusterCommand, short_help="From a folder of pictures to a bundle."
)(train.train)
app.add_typer(distil.app, name="distil", short_help="Let a small network learn from a large one.")
app.command("soup", short_help="Average several trainings of one network.")(soup.soup)
app.command("evaluate", short_help="Count how often a classifier is right.")(evaluate.evaluate)
app.command("compare", short_help="Tell which of two classifiers is better.")(compare.compare)
app.command("report", short_help="A classifier on one page of HTML.")(report.report)
app.command("export", short_help="A classifier for other runtimes, compared.")(export.export)
app.command("bench", short_help="How fast models are on this machine.", cls=bench.ManyValues)(
    bench.bench
)
app.command(
    "serve", cls=ClusterCommand, short_help="Pictures in, classes out, over HTTP and gRPC."
)(serve.serve)
app.command("loadtest", short_help="What a server does under load.", cls=bench.ManyValues)(
    loadtest.loadtest
)
app.command("models", short_help="List the networks of the series.")(models.models)
app.add_typer(data.app, name="data", short_help="Check, show, divide and pack pictures.")
app.add_typer(recipe.app, name="recipe", short_help="List, show and check training recipes.")
app.add_typer(weights.app, name="weights", short_help="Fetch, import and check weights.")
app.command("paddleclas", short_help="Predict with the options of the package paddleclas.")(
    wheel.paddleclas
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"residua {__version__}")
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """ResNet image classifiers, from a folder of photos to production."""


def run() -> None:
    """Run the command line; errors of the family are shown without a traceback.

    Exit codes: 0 done, 1 an error that the message explains, 2 a misspelt command, 3 done but for
    unreadable pictures, 130 or 143 stopped and able to go on. typer itself ends an interrupted
    command, and one whose reader has left.
    """
    wait_passively()
    # What importing makes stays: looking through it again and again is 5 % of a prediction's start.
    gc.set_threshold(50_000, 20, 20)
    try:
        _choose_commands()
    except (ResiduaError, OSError) as error:
        # Of several processes that torchrun has started (see evaluate/ranks.py) what comes here is
        # from before they have joined, of the command line alone: one of a machine says it.
        if os.environ.get("LOCAL_RANK", "0") == "0":
            typer.echo(spell_error(error), err=True)
        sys.exit(error.exit_code if isinstance(error, StoppedError) else 1)


def _choose_commands() -> None:
    """Run the command that was given; one by a PaddleClas configuration has its own options."""
    configured = dispatch.find_configured(sys.argv[1:])
    if configured is None:
        app()
        return
    from residua.cli.paddle.configured import app as by_configuration

    by_configuration(configured)


if __name__ == "__main__":
    run()
