"""Recipes from files and command lines: unknown keys are refused with the nearest valid name."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from residua.base.errors import SettingError, UnknownNameError
from residua.train.recipe import Recipe


def read_recipe(content: Mapping[str, Any]) -> Recipe:
    """Return the recipe that ``content`` spells out.

    Raises UnknownNameError with the nearest key, or SettingError that names the wrong value.
    """
    _refuse_unknown(content, Recipe, "")
    try:
        return Recipe.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "as a whole"
        given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
        message = first["msg"].removeprefix("Value error, ")
        raise SettingError(f"The recipe does not make sense, {place}: {message}{given}.") from error


def change(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return ``recipe`` with single values replaced; None leaves a value as it is.

    Keys are dotted, as in ``{"optimiser.lr": 0.05}``. Raises UnknownNameError with the nearest key.
    """
    content = recipe.model_dump()
    known = list_keys(Recipe)
    for dotted, value in values.items():
        if dotted not in known:
            raise UnknownNameError("recipe key", dotted, known)
        *path, key = dotted.split(".")
        if value is not None:
            part = content
            for name in path:
                part = part[name]
            part[key] = value
    return read_recipe(content)


def list_keys(record: type[BaseModel], place: str = "") -> list[str]:
    """Return the dotted keys of all single values below ``record``."""
    keys = []
    for name, field in record.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += list_keys(kind, f"{place}{name}.")
        else:
            keys.append(f"{place}{name}")
    return keys


def _refuse_unknown(content: Mapping[str, Any], record: type[BaseModel], place: str) -> None:
    fields = record.model_fields
    for key, value in content.items():
        if key not in fields:
            known = [f"{place}{name}" for name in fields]
            raise UnknownNameError("recipe key", f"{place}{key}", known)
        kind = fields[key].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, Mapping):
            _refuse_unknown(value, kind, f"{place}{key}.")
