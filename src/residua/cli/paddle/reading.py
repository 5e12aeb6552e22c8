"""What the commands by a PaddleClas configuration share: options, reading, telling."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from residua.compat.config.read import Configuration

Config = Annotated[
    Path, typer.Option("-c", "--config", help="A PaddleClas configuration.", show_default=False)
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "-o", "--override", metavar="KEY=VALUE", show_default=False,
        help="One value of it (Global.epochs=2, DataLoader.Train.sampler.batch_size=32), or of a "
        "recipe of residua's (average.kind=ema). Repeatable.",
    ),
]  # fmt: skip
Profiler = Annotated[
    str, typer.Option("-p", "--profiler_options", hidden=True, help="Read, and left.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


def read(config: Path, override: list[str] | None) -> tuple["Configuration", list[str]]:
    """Return the configuration as its own overrides change it, and those that are a recipe's."""
    from residua.compat.config.read import read_configuration
    from residua.train.recipe.tree import Recipe

    parts = {*Recipe.model_fields, "optimizer"}
    ours = [text for text in override or () if text.split(".")[0] in parts]
    theirs = [text for text in override or () if text.split(".")[0] not in parts]
    return read_configuration(config, theirs), ours


def read_theirs(config: Path, override: list[str] | None) -> "Configuration":
    """Return the configuration for a command that no recipe is for. Raises SettingError."""
    from residua.base.errors import SettingError

    configuration, ours = read(config, override)
    if ours:
        raise SettingError(
            f"-o {ours[0]} is of a recipe, and this command has none.",
            next_step="Keys of a recipe are for: residua train -c CONFIG",
        )
    return configuration


def tell(configuration: "Configuration", *, quiet: bool = False) -> None:
    """Say what translating found, on the error stream."""
    if not quiet:
        for line in configuration.findings.spell():
            typer.echo(line, err=True)
