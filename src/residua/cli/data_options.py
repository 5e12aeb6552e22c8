"""How a data set is to be read, from ``-o data.key=value`` as the recipes of training spell it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from residua.data.settings import DataPart


def read_data_part(overrides: Sequence[str]) -> "DataPart":
    """Return the settings that ``overrides`` spell: "data.label_column=species" (or without data.).

    Raises UnknownNameError with the nearest key, SettingError for a value that makes no sense.
    """
    from pydantic import ValidationError

    from residua.base.errors import SettingError, UnknownNameError
    from residua.data.settings import DataPart
    from residua.train.recipe.text import read_value

    known = [f"data.{name}" for name in DataPart.model_fields]
    values = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        dotted = f"data.{key.strip().removeprefix('data.')}"
        if not equals:
            raise SettingError(
                f"{text!r} changes nothing.",
                next_step="Write key=value, as in data.label_column=species",
            )
        if dotted not in known:
            raise UnknownNameError("setting of data", dotted, known)
        values[dotted.removeprefix("data.")] = read_value(value, f"the override {text}")
    try:
        return DataPart.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, ("data", *first["loc"])))
        raise SettingError(
            f"{place} makes no sense: {first['msg']} (given: {first['input']!r})."
        ) from error
