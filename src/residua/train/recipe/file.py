"""Recipes from files and command lines: unknown keys are refused with the nearest valid name.

A file may begin with ``extends:``, the name of a recipe of the book, a path relative to the file,
or a list of these: what it says itself wins over them, and the later over the earlier.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from residua.base.errors import SettingError, UnknownNameError
from residua.base.nearest import normalize
from residua.train.recipe.complaints import explain
from residua.train.recipe.index import find_path, name_of
from residua.train.recipe.text import Spelling, merge, read_text, read_value, spell
from residua.train.recipe.tree import Recipe

_SUFFIXES = (".yaml", ".yml")
_ALIASES = {"optimizer": "optimiser"}
# Mappings whose keys are the user's.
_OPEN = ("optimiser.lr_multipliers.",)


def read_recipe_file(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a file (``.yaml``) or of a name of the book, changed by ``overrides``.

    An override is ``key=value`` with a dotted key and a YAML value: ``optimiser.lr=1e-3``,
    ``average.kind=ema``, ``augment.progressive=null``. Raises UnknownNameError with the nearest
    key or recipe, or SettingError that names file, line, key, what was given and what is allowed.
    """
    return _validate(
        _merge_all([_gather(locate_recipe(path_or_name), ()), *_read_overrides(overrides)])
    )


def override(
    recipe: Recipe, overrides: Sequence[str], values: Mapping[str, Any] | None = None
) -> Recipe:
    """Return ``recipe`` changed by ``values`` as in ``change``, and then by ``overrides``.

    These are as in ``read_recipe_file`` and have the last word: only what comes of both is checked.
    """
    content = _replace_values(recipe, values or {})
    return _validate(_merge_all([Spelling(content, {}), *_read_overrides(overrides)]))


def read_recipe(content: Mapping[str, Any]) -> Recipe:
    """Return the recipe that ``content`` spells out.

    Raises UnknownNameError with the nearest key, or SettingError that names the wrong value.
    """
    return _validate(Spelling(dict(content), {}))


def read_values(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of dotted keys and their values, as ``{"optimiser.lr": 0.05}``.

    Raises what ``read_recipe`` raises.
    """
    return _validate(_merge_all([Spelling(_nest(dotted, values[dotted]), {}) for dotted in values]))


def change(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return ``recipe`` with single values replaced; None leaves a value as it is.

    Keys are dotted, as in ``{"optimiser.lr": 0.05}``. Raises UnknownNameError with the nearest key.
    """
    return read_recipe(_replace_values(recipe, values))


def _replace_values(recipe: Recipe, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``recipe`` with single values replaced, unchecked."""
    content = recipe.model_dump()
    known = list_keys(Recipe)
    for dotted, value in values.items():
        if dotted not in known:
            raise UnknownNameError("recipe key", dotted, _candidates(dotted, known))
        *path, key = dotted.split(".")
        if value is not None:
            part = content
            for name in path:
                if part[name] is None:  # a part that may be absent
                    part[name] = {}
                part = part[name]
            part[key] = value
    return content


def spell_recipe(recipe: Recipe, *, full: bool = False) -> str:
    """Return ``recipe`` as YAML: what differs from the defaults, or everything if ``full``."""
    content = recipe.model_dump(mode="json")
    return spell(content if full else _leave_defaults(content, Recipe))


def list_keys(record: type[BaseModel] = Recipe, place: str = "") -> list[str]:
    """Return the dotted keys of all single values below ``record``.

    A part that may be absent (``augment.progressive``) is listed itself, and its values too.
    """
    keys = []
    for name, field in record.model_fields.items():
        part, optional = _part_of(field.annotation)
        if part is None or optional:
            keys.append(f"{place}{name}")
        if part is not None:
            keys += list_keys(part, f"{place}{name}.")
    return keys


def locate_recipe(path_or_name: str | Path, folder: Path = Path()) -> Path:
    """Return the file of a recipe: a path (from ``folder``) if it ends in .yaml, else a name."""
    if not str(path_or_name).endswith(_SUFFIXES):
        return find_path(str(path_or_name))
    path = folder / path_or_name
    if not path.is_file():
        raise SettingError(
            f"There is no recipe file {path}.",
            next_step="Names of recipes that come with residua: residua recipe list",
        )
    return path


def _gather(path: Path, chain: tuple[Path, ...]) -> Spelling:
    """Return what a file says and what it extends says, merged."""
    path = path.resolve()
    if path in chain:
        circle = " → ".join(_title(link) for link in (*chain[chain.index(path) :], path))
        raise SettingError(
            f"Recipes extend each other in a circle: {circle}.",
            next_step="Take one of the extends: lines out.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingError(f"{_title(path)} is no text in UTF-8: {error.reason}.") from error
    own = _spell_as_ours(read_text(text, _title(path)))
    parents = own.content.pop("extends", [])
    where = own.places.pop("extends", "")
    parents = [parents] if isinstance(parents, str) else parents
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise SettingError(
            f"{where}: extends names a recipe, a file or a list of these (given: {parents!r})."
        )
    below: list[Spelling] = []
    for parent in parents:
        try:
            found = locate_recipe(parent, path.parent)
        except UnknownNameError as error:
            known = error.suggestions
            raise UnknownNameError("recipe", parent, known, next_step=_stands(where)) from error
        below.append(_gather(found, (*chain, path)))
    return _merge_all([*below, own])


def _read_overrides(overrides: Iterable[str]) -> Iterator[Spelling]:
    """Yield each ``key=value`` as what a file would say."""
    known = list_keys(Recipe)
    allowed = {*known, *_list_parts(known)}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise SettingError(
                f"{text!r} changes nothing.", next_step="Write key=value, as in optimiser.lr=0.05"
            )
        first, dot, rest = key.strip().partition(".")
        dotted = f"{_ALIASES.get(first, first)}{dot}{rest}"
        if not (dotted in allowed or dotted.startswith(_OPEN)):
            raise UnknownNameError("recipe key", dotted, _candidates(dotted, known))
        where = f"the override {text}"
        yield Spelling(_nest(dotted, read_value(value, where)), {dotted: where})


def _validate(spelling: Spelling) -> Recipe:
    _refuse_unknown(spelling.content, Recipe, "", spelling)
    try:
        return Recipe.model_validate(spelling.content)
    except ValidationError as error:
        raise explain(error, spelling, list_keys(Recipe)) from error


def _refuse_unknown(
    content: Mapping[str, Any], record: type[BaseModel], place: str, spelling: Spelling
) -> None:
    fields = record.model_fields
    for key, value in content.items():
        dotted = f"{place}{key}"
        if key not in fields:
            known = _candidates(dotted, list_keys(Recipe))
            where = _stands(spelling.find_place(dotted))
            raise UnknownNameError("recipe key", dotted, known, next_step=where)
        part, _ = _part_of(fields[key].annotation)
        if part is not None and isinstance(value, Mapping):
            _refuse_unknown(value, part, f"{dotted}.", spelling)


def _candidates(dotted: str, known: Sequence[str]) -> Sequence[str]:
    """Return what ``dotted`` may have meant: a neighbour, or a key of its name elsewhere."""
    part, _, last = dotted.rpartition(".")
    same = [key for key in known if normalize(key.rpartition(".")[2]) == normalize(last)]
    neighbours = [key for key in known if part and key.startswith(f"{part}.")]
    return [*same, *neighbours] or [*known, *_list_parts(known)]


def _list_parts(known: Sequence[str]) -> set[str]:
    """Return the names of all mappings of keys: ``augment``, ``augment.crop``, …."""
    return {key.rpartition(".")[0] for key in known if "." in key}


def _part_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the record that a field holds, if it does, and whether it may be absent."""
    optional = isinstance(annotation, UnionType)
    for kind in get_args(annotation) if optional else (annotation,):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind, optional
    return None, optional


def _leave_defaults(content: Mapping[str, Any], record: type[BaseModel]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, field in record.model_fields.items():
        value = content[name]
        part, optional = _part_of(field.annotation)
        if part is not None and not optional:
            value = _leave_defaults(value, part)
            if value:
                kept[name] = value
        elif field.is_required() or value != _as_json(field.get_default(call_default_factory=True)):
            kept[name] = value
    return kept


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _nest(dotted: str, value: Any) -> dict[str, Any]:
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return dict(value)


def _merge_all(spellings: Sequence[Spelling]) -> Spelling:
    whole = spellings[0]
    for spelling in spellings[1:]:
        whole = merge(whole, spelling)
    return whole


def _spell_as_ours(spelling: Spelling) -> Spelling:
    """Return ``spelling`` with American names of parts as ours."""
    content = dict(spelling.content)
    places = dict(spelling.places)
    for theirs, ours in _ALIASES.items():
        if theirs not in content:
            continue
        if ours in content:
            raise SettingError(
                f"{spelling.places[theirs]}: {theirs} is {ours}, which stands there too.",
                next_step="Keep one of them.",
            )
        content[ours] = content.pop(theirs)
        for dotted in [key for key in places if key.partition(".")[0] == theirs]:
            places[ours + dotted.removeprefix(theirs)] = places.pop(dotted)
    return Spelling(content, places)


def _stands(where: str) -> str:
    return f"It stands in {where}." if where else ""


def _title(path: Path) -> str:
    return name_of(path) or str(path)
