"""What is wrong with a recipe's values, said in a recipe's words: key, value, what is allowed."""

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from residua.base.errors import SettingError
from residua.train.recipe.text import Spelling

# By the kinds of errors of pydantic, with the values that they carry.
_WORDS: dict[str, str] = {
    "missing": "has to be given",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a finite number",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "string_type": "has to be text",
    "list_type": "has to be a list",
    "tuple_type": "has to be a list",
    "dict_type": "has to hold keys and values",
    "model_type": "has to hold keys and values",
    "model_attributes_type": "has to hold keys and values",
    "literal_error": "has to be {expected}",
    "greater_than": "has to be above {gt:g}",
    "greater_than_equal": "has to be at least {ge:g}",
    "less_than": "has to be below {lt:g}",
    "less_than_equal": "has to be at most {le:g}",
    "too_short": "has to have at least {min_length} values",
    "too_long": "has to have at most {max_length} values",
}


def explain(error: ValidationError, spelling: Spelling, known: Collection[str]) -> SettingError:
    """Return everything that is wrong, a line a key of ``known``, and where it stands."""
    errors = error.errors(include_url=False)
    groups = [list(group) for _, group in groupby(errors, lambda one: _key(one, known))]
    lines = [_spell(group, spelling, known) for group in groups]
    missing = any(one["type"] == "missing" for one in errors)
    step = "Begin with a recipe that is whole:  extends: finetune" if missing else ""
    said = f" {lines[0]}" if len(lines) == 1 else "\n  ".join(["", *lines])
    return SettingError(f"The recipe does not make sense:{said}", next_step=step)


def _spell(same: Sequence[Mapping[str, Any]], spelling: Spelling, known: Collection[str]) -> str:
    """Return what is wrong with one key, which has several complaints if it takes several kinds."""
    first = same[0]
    key, given = _key(first, known), first["input"]
    several = len(first["loc"]) > len(key.split(".")) and isinstance(first["loc"][-1], str)
    messages = dict.fromkeys(_word(one) for one in (same if several else same[:1]))
    what = " or ".join(messages).replace(" or has to be ", " or ")
    if first["type"] == "missing":  # and the input is the whole part that it is missing from
        return f"{key} {what}."
    if first["type"] == "value_error":
        shown = f" (given: {_as_json(given)})" if isinstance(given, list) else ""
        return f"{f'{key}: ' if key else ''}{what}{shown}.{_stand(key, what, spelling)}"
    return f"{key} {what} (given: {_as_json(given)}).{_stand(key, what, spelling)}"


def _stand(key: str, what: str, spelling: Spelling) -> str:
    """Return where ``key`` was written, or else the keys that ``what`` names."""
    named = [word for word in what.replace(",", " ").split() if word in spelling.places]
    places = [spelling.find_place(key)] if key else [spelling.places[word] for word in named]
    found = [place for place in dict.fromkeys(places) if place]
    return f" It stands in {' and '.join(found)}." if found else ""


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _key(error: Mapping[str, Any], known: Collection[str]) -> str:
    """Return the key that ``error`` is about: of a list it is the list's, not its item's."""
    loc = [str(part) for part in error["loc"]]
    lengths = (n for n in range(len(loc), 0, -1) if ".".join(loc[:n]) in known)
    return ".".join(loc[: next(lengths, len(loc))])


def _word(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    if words is None:
        message: str = error["msg"]
        return message.removeprefix("Value error, ")
    return words.format(**error.get("ctx", {}))
