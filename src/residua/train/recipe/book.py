"""The book of recipes: what comes with residua, by name.

Each file begins with a comment that says where its values come from (``Source:``), how it is run
(``Command:``), what its source reports (``Published:``) and what it gave here
(``Measured here:``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from residua.train.recipe.file import read_recipe_file
from residua.train.recipe.index import find_name, find_path, list_names
from residua.train.recipe.tree import Recipe

_FIELD = re.compile(r"(Source|Command|Published|Measured here): (.*)")
_TOP1 = re.compile(r"top-1 (\d+(?:\.\d+)?) %")


@dataclass(frozen=True, slots=True)
class Description:
    """The head of a recipe's file. ``top1`` is published, in 0…1; ``text`` is the whole head."""

    name: str
    title: str
    source: str
    command: str
    published: str
    measured: str
    top1: float | None
    text: str


def list_recipes() -> tuple[str, ...]:
    """Return the names of all recipes of the book, in order."""
    return list_names()


def find_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe of the book that ``name`` means, changed by ``overrides``.

    Any tail of a name will do where it is the only one: ``ResNet50_vd``. Raises UnknownNameError
    with the nearest names, and as ``recipe_file.read_recipe_file``.
    """
    return read_recipe_file(find_name(name), overrides)


def describe(name: str) -> Description:
    """Return what the file of the recipe ``name`` says about itself."""
    lines = read_head(find_path(name).read_text(encoding="utf-8")).splitlines()
    fields: dict[str, str] = {}
    current = ""
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field:
            current = field[1]
            fields[current] = field[2]
        elif current and line.startswith("  "):
            fields[current] += f" {line.strip()}"
        else:
            current = ""
    published = fields.get("Published", "")
    top1 = _TOP1.search(published)
    return Description(
        name=find_name(name),
        title=lines[0].rstrip(".") if lines else "",
        source=fields.get("Source", ""),
        command=fields.get("Command", ""),
        published=published,
        measured=fields.get("Measured here", ""),
        top1=round(float(top1[1]) / 100, 6) if top1 else None,
        text="\n".join(lines),
    )


def read_head(text: str) -> str:
    """Return the comment with which the ``text`` of a recipe begins, without its ``#``."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" ").rstrip())
    return "\n".join(lines)
