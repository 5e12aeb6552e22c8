"""The recipes that come with residua: their names, and the file of each.

A name is the path below ``recipes/`` without its suffix. A file whose name begins with "_" is a
base that others extend: it can be named, but is no recipe of its own and in no list.
"""

from functools import cache
from pathlib import Path

from residua.base.errors import SettingError, UnknownNameError
from residua.base.nearest import normalize

_FOLDER = Path(__file__).resolve().parents[2] / "recipes"


@cache
def list_names() -> tuple[str, ...]:
    """Return the names of all recipes, in order."""
    return tuple(name for name in _names() if not _is_base(name))


def find_name(name: str) -> str:
    """Return the whole name that ``name`` means, whatever its case, ``-`` or ``_``.

    A tail will do where only one recipe ends so: ``ResNet50_vd`` for ``imagenet/ResNet50_vd``.
    Raises UnknownNameError with the nearest names, SettingError if several recipes end so.

    >>> find_name("resnet50-VD")
    'imagenet/ResNet50_vd'
    """
    if name in _names():
        return name
    wanted = _segments(name)
    found = [known for known in list_names() if _segments(known)[-len(wanted) :] == wanted]
    exact = [known for known in found if _segments(known) == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise SettingError(
            f"Several recipes end in {name!r}: {', '.join(found)}.",
            next_step="Give the whole name.",
        )
    known = list_names() if "/" in name else _tails()
    raise UnknownNameError("recipe", name, known, next_step="All: residua recipe list")


def find_path(name: str) -> Path:
    """Return the file of the recipe or base that ``name`` means; raises as ``find_name``."""
    return _FOLDER / f"{find_name(name)}.yaml"


def name_of(path: Path) -> str:
    """Return the name of the recipe in ``path``, or "" for a file that is not of the book."""
    inside = path.is_relative_to(_FOLDER)
    return path.relative_to(_FOLDER).with_suffix("").as_posix() if inside else ""


@cache
def _names() -> tuple[str, ...]:
    paths = _FOLDER.rglob("*.yaml")
    return tuple(sorted(path.relative_to(_FOLDER).with_suffix("").as_posix() for path in paths))


def _tails() -> list[str]:
    return [name.rpartition("/")[2] for name in list_names()]


def _is_base(name: str) -> bool:
    return name.rpartition("/")[2].startswith("_")


def _segments(name: str) -> list[str]:
    return [normalize(segment) for segment in name.split("/")]
