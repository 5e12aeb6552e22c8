"""Recipes as YAML text: values with the line on which they stand, and values spelt out again.

Scalars are read by the core schema of YAML 1.2: ``1e-4`` is a number and ``yes`` is text, other
than in YAML 1.1, which PyYAML speaks by itself.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from residua.base.errors import SettingError

_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_DIGITS = list("-+.0123456789")
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", _DIGITS),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", _DIGITS),
)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases, by which a file could hold itself."""
        if self.check_event(yaml.AliasEvent):
            peek: Callable[[], Any] = self.peek_event
            raise yaml.MarkedYAMLError(
                problem="recipes know no aliases (*)", problem_mark=peek().start_mark
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first
    )
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


class _Dumper(yaml.SafeDumper):
    pass


# Mappings in lines, lists in brackets.
_Dumper.add_representer(
    list,
    lambda dumper, items: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", items, flow_style=True
    ),
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """Plain values, and for each dotted key the place where it was written."""

    content: dict[str, Any]
    places: dict[str, str]

    def find_place(self, dotted: str) -> str:
        """Return where ``dotted`` was written, or the nearest key above it; "" if nowhere."""
        while dotted and dotted not in self.places:
            dotted = dotted.rpartition(".")[0]
        return self.places.get(dotted, "")


def read_text(text: str, title: str) -> Spelling:
    """Return the mapping that the YAML ``text`` spells; ``title`` names it in messages.

    Raises SettingError for what is no YAML, no mapping, or has a key twice.
    """
    places: dict[str, str] = {}
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        content = {} if root is None else _build(loader, root, "", title, places)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise SettingError(
            f"{title}, line {line}: {error.problem or error.context}.",
            next_step="A recipe is YAML: key: value, indented with spaces.",
        ) from error
    except yaml.YAMLError as error:
        raise SettingError(f"{title} is not YAML: {error}.") from error
    finally:
        loader.dispose()
    if not isinstance(content, dict):
        raise SettingError(
            f"{title} is no recipe: it holds {content!r}, where keys and values are expected.",
            next_step="Begin with a part, as in:  loop: {epochs: 10}",
        )
    return Spelling(content, places)


def read_value(text: str, title: str) -> Any:
    """Return the value that ``text`` spells; nothing at all is the empty text.

    A lone "|" or ">" begins a block in YAML, of which a single value has none: it is itself.
    """
    if text.strip() in {"|", ">"}:
        return text.strip()
    return read_text(f"value: {text}", title).content["value"] if text.strip() else ""


def merge(below: Spelling, above: Spelling) -> Spelling:
    """Return both, where ``above`` wins; mappings are merged key by key, lists are replaced."""
    return Spelling(_merge_mappings(below.content, above.content), {**below.places, **above.places})


def spell(content: Mapping[str, Any]) -> str:
    """Return ``content`` as YAML."""
    text: str = yaml.dump(
        dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text


def _build(loader: _Loader, node: yaml.Node, place: str, title: str, places: dict[str, str]) -> Any:
    if node.tag not in _TAGS and not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(
            problem=f"recipes know no tag {node.tag}", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.MappingNode):
        content: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            dotted = f"{place}.{name}" if place else name
            where = f"{title}, line {key.start_mark.line + 1}"
            if name in content:
                raise SettingError(
                    f"{dotted} stands twice in {title}: {places[dotted].partition(', ')[2]} and "
                    f"line {key.start_mark.line + 1}.",
                    next_step="Keep one of them.",
                )
            places[dotted] = where
            content[name] = _build(loader, value, dotted, title, places)
        return content
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, place, title, places) for item in node.value]
    return loader.construct_object(node)


def _merge_mappings(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge_mappings(old, value)
        else:
            merged[key] = value
    return merged
