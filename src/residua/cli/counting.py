"""What the verbs that count share: their options, how they print and how they end."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from residua.data.settings import DataPart
    from residua.evaluate.ranks import Ranks

UNREADABLE = 3  # exit code: done, but some pictures could not be read

Data = Annotated[
    str,
    typer.Argument(
        help="A folder with one folder of pictures a class, or train/ + val/; a list file, table, "
        "tar shards or hf://…."
    ),
]
Part = Annotated[
    str, typer.Option(help="auto, all, train or val; auto leaves out what was trained on.")
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Pictures at a time; changes the speed, not the figures.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


Reading = Annotated[
    list[str] | None,
    typer.Option(
        "--override",
        help="How DATA is read, where that cannot be told: data.label_column=species. Repeatable.",
    ),
]


def read_as(override: list[str] | None) -> "DataPart | None":
    """Return how DATA is to be read; None: as the bundle's training read its own."""
    from residua.cli.data_options import read_data_part

    return read_data_part(override) if override else None


def print_either(text: str, record: dict[str, Any], *, json: bool) -> None:
    """Print ``text`` for people or ``record`` for machines."""
    from json import dumps

    # File and class names may hold bytes that are no Unicode.
    shown = dumps(record, ensure_ascii=False) if json else text
    typer.echo(shown.encode("utf-8", "backslashreplace").decode())


def end(unreadable: int, ranks: "Ranks") -> None:
    """Leave with exit code 3 where pictures are ``unreadable``; of several processes with 0.

    torchrun takes any other code for a crash: it stops the other processes and prints a traceback.
    """
    if unreadable and ranks.world == 1:
        raise typer.Exit(UNREADABLE)
    if unreadable and ranks.first:
        count = f"{unreadable} picture{'' if unreadable == 1 else 's'} cannot be read"
        typer.echo(f"{count}; the exit code of several processes does not tell.", err=True)
