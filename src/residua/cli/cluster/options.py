"""The options that verbs share on a cluster."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from residua.cli.grouping import GroupedCommand

PANEL = "On a cluster"
_OPTION, _NEAREST = "--cluster", "auto"

Cluster = Annotated[
    str,
    typer.Option(
        _OPTION,
        metavar="[ADDRESS]",
        help="Run on a Ray cluster: the one that runs here or of RAY_ADDRESS (auto), that at "
        "HOST:PORT, or one of this machine alone (local).",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


class ClusterCommand(TyperCommand):
    """A command whose ``--cluster`` may stand alone: it means auto then."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the option its value where it has none."""
        spelled: list[str] = []
        for word, following in zip(args, [*args[1:], "-"], strict=True):
            spelled.append(word)
            if word == _OPTION and not _may_be_address(following):
                spelled.append(_NEAREST)
        return super().parse_args(ctx, spelled)


class GroupedClusterCommand(ClusterCommand, GroupedCommand):
    """The same, with options in groups."""


def _may_be_address(word: str) -> bool:
    """Tell whether a word after the option is its value, not an option, a file or a URL."""
    if word in {"local", _NEAREST} or word.startswith("ray://"):
        return True
    if re.fullmatch(r"[\w.\-\[\]:]+:\d+", word):
        return True
    return not (word.startswith("-") or "/" in word or "=" in word or Path(word).exists())


def refuse(**given: Any) -> None:
    """Refuse options, by their names with _ for -, that say something and are not heard there."""
    from residua.base.errors import SettingError

    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise SettingError(
                f"{option} has no meaning on a cluster.", next_step="See docs/cluster.md."
            )


def need_cluster(**given: Any) -> None:
    """Refuse options that say something and are heard on a cluster alone, by their names."""
    from residua.base.errors import SettingError

    for name, value in given.items():
        if value:
            raise SettingError(
                f"--{name.replace('_', '-')} is for a cluster.", next_step="Add --cluster."
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
