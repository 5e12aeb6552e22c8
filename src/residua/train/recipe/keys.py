"""All keys of a recipe in a table: type, default and meaning, read from the typed tree itself."""

import ast
import inspect
import json
import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from residua.train.recipe.tree import Recipe

_HEAD = """# Recipe keys

Every key of a recipe, as a file spells it (parts are mappings) and as `-o key=value` does, which
takes values in YAML. `residua recipe keys [PATTERN]` prints the same. This page is made from the
code by `residua recipe keys --markdown`; a test compares them.
"""
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text"}


@dataclass(frozen=True, slots=True)
class Key:
    """One value of a recipe: ``key`` is dotted, ``default`` as JSON or "required"."""

    key: str
    kind: str
    default: str
    meaning: str


def describe_keys(record: type[BaseModel] = Recipe, place: str = "") -> list[Key]:
    """Return all keys below ``record``, in the order of the tree.

    A part that may be absent (``augment.progressive``) is listed itself, before its own keys.
    """
    found: list[Key] = []
    meanings = _read_meanings(record)
    for name, field in record.model_fields.items():
        kinds = [kind for kind in _options(field.annotation) if _is_part(kind)]
        if not kinds or kinds[0] is not field.annotation:
            annotation: Any = field.annotation
            for bound in field.metadata:
                annotation = Annotated[annotation, bound]
            default = field.get_default(call_default_factory=True)
            required = default is PydanticUndefined
            found.append(
                Key(
                    f"{place}{name}",
                    "part" if kinds else _spell(annotation),
                    "required" if required else json.dumps(default, ensure_ascii=False),
                    meanings.get(name, ""),
                )
            )
        for kind in kinds:
            found += describe_keys(kind, f"{place}{name}.")
    return found


def describe_parts() -> dict[str, str]:
    """Return what each part of a recipe is, by its dotted name."""
    return _describe_parts(Recipe, "")


def write_page() -> str:
    """Return docs/recipe-keys.md: a table for each part."""
    parts, keys = describe_parts(), describe_keys()
    lines = [_HEAD]
    for part, text in parts.items():
        own = [key for key in keys if key.key.rpartition(".")[0] == part]
        lines += [
            f"## {part}\n",
            f"{text}\n",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{key.key}` | {_escape(key.kind)} | {_code(key.default)} | {_escape(key.meaning)} |"
            for key in own
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _describe_parts(record: type[BaseModel], place: str) -> dict[str, str]:
    found = {}
    for name, field in record.model_fields.items():
        for kind in _options(field.annotation):
            if _is_part(kind):
                text = inspect.getdoc(kind) or ""
                found[f"{place}{name}"] = " ".join(text.split()).replace("``", "`")
                found |= _describe_parts(kind, f"{place}{name}.")
    return found


@cache
def _read_meanings(record: type[BaseModel]) -> dict[str, str]:
    """Return the texts that stand below the keys of ``record`` in its source."""
    (tree,) = ast.parse(inspect.getsource(record)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - it is the source of a class
    meanings = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            name, value = field.target, text.value
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                meanings[name.id] = " ".join(str(value.value).split()).replace("``", "`")
    return meanings


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the kinds that a value may have."""
    union = get_origin(annotation) in {types.UnionType, Union}
    return get_args(annotation) if union else (annotation,)


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _spell(kind: Any) -> str:
    """Return a type in words: "number ≥ 0 and < 1", "`a` or `b`", "list of: whole number > 0"."""
    arguments = get_args(kind)
    match get_origin(kind):
        case None:
            text = "null" if kind is types.NoneType else _NAMES[kind]
        case origin if origin in {types.UnionType, Union}:
            text = ", or ".join(_spell(argument) for argument in arguments)
        case origin if origin is Annotated:
            bounds = " and ".join(_spell_bounds(arguments[1:]))
            text = f"{_spell(arguments[0])} {bounds}".rstrip()
        case origin if origin is Literal:
            text = " or ".join(f"`{value}`" for value in arguments)
        case origin if origin is dict:
            text = f"names with: {_spell(arguments[1])}"
        case _ if arguments[-1] is Ellipsis:
            text = f"list of: {_spell(arguments[0])}"
        case _:
            text = f"[{', '.join(_spell(argument) for argument in arguments)}]"
    return text


def _spell_bounds(metadata: tuple[Any, ...]) -> list[str]:
    """Return the bounds among pydantic's marks of a type: "≥ 0"."""
    marks = [mark for item in metadata for mark in getattr(item, "metadata", [item])]
    return [
        f"{sign} {getattr(mark, name)}"
        for mark in marks
        for name, sign in _SIGNS.items()
        if hasattr(mark, name)
    ]


def _code(default: str) -> str:
    return default if default == "required" else f"`{_escape(default)}`"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")
