"""The options that verbs share on a cluster."""

from typing import Annotated, Any

import typer

PANEL = "On a cluster"

Cluster = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Run on a Ray cluster: local (this machine), auto (the one that runs here, or of "
        "RAY_ADDRESS), or HOST:PORT.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def refuse(**given: Any) -> None:
    """Refuse options, by their names with _ for -, that say something and are not heard there."""
    from residua.base.errors import SettingError

    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise SettingError(
                f"{option} has no meaning on a cluster.", next_step="See docs/cluster.md."
            )


def read_range(text: str, option: str) -> tuple[int, int] | None:
    """Return the bounds of MIN:MAX, or of one number; None of nothing. Raises SettingError.

    >>> read_range("2:8", "--workers")
    (2, 8)
    """
    from residua.base.errors import SettingError

    if not text:
        return None
    low, colon, high = text.partition(":")
    if low.isdigit() and (high.isdigit() or not colon):
        bounds = int(low), int(high or low)
        if 1 <= bounds[0] <= bounds[1]:
            return bounds
    raise SettingError(
        f"{option} is {text!r}.", next_step=f"Give a number or MIN:MAX, as {option} 2:8."
    )
