"""A PaddleClas configuration from its YAML file and from ``-o key=value``.

Keys are dotted, positions in lists are numbers:
``DataLoader.Train.dataset.transform_ops.1.RandCropImage.size=320``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from residua.base.errors import SettingError
from residua.base.nearest import nearest
from residua.compat.config.findings import Findings
from residua.compat.config.section import Section, unknown
from residua.compat.config.values import read_literal, read_word

_PARTS = {"Global", "Arch", "DataLoader", "Optimizer", "PreProcess", "PostProcess"}
_NOTHING = object()  # where a key is new
_MOST = 100_000  # values: aliases of YAML can spell more than a machine holds


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration: ``said`` are the dotted keys that the command line has set.

    ``replaced`` has what the file says of those that it has too.
    """

    path: Path
    whole: Section
    said: frozenset[str] = frozenset()
    replaced: Mapping[str, Any] = field(default_factory=dict)

    @property
    def findings(self) -> Findings:
        """What reading and translating it has to tell."""
        return self.whole.findings

    def says(self, key: str) -> bool:
        """Tell whether the command line has set ``key``, or anything below it."""
        return any(name == key or name.startswith(f"{key}.") for name in self.said)

    def in_file(self, key: str, default: Any) -> Any:
        """Return what the file says of a dotted key, whatever the command line says."""
        if key in self.replaced:
            return self.replaced[key]
        if key in self.said:
            return default
        value: Any = self.whole.content
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return default if value is None else value

    def hear(self) -> None:
        """Look at what was said and not asked for by a command that reads a part of the whole.

        Of a key that the file has too a note is made; another is refused as misspelt. SettingError.
        """
        unasked = dict(self.whole.list_unasked())
        for key in sorted(self.said):
            place = next((p for p in unasked if key == p or key.startswith(f"{p}.")), None)
            if place is None:
                continue
            if key not in self.replaced:
                raise unknown(key, unasked[place])
            self.findings.note(f"{key} has no effect on this command.")


def is_configuration(path: Path) -> bool:
    """Tell whether a file is a PaddleClas configuration, by the names of its parts."""
    if path.suffix.lower() not in {".yaml", ".yml"} or not path.is_file():
        return False
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, OSError):
        return False
    names = {line.partition(":")[0].strip(" \"'{,") for line in lines if ":" in line}
    return len(_PARTS & names) >= 2


def read_configuration(path: Path, overrides: Sequence[str] = ()) -> Configuration:
    """Return the configuration of a file, changed by ``overrides``.

    Raises SettingError for what is no YAML, no mapping, or an override that fits nowhere.
    """
    if path.is_dir():
        raise SettingError(f"{path} is a folder: a configuration is a YAML file.")
    if not path.is_file():
        known = [e.name for e in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        near = ", ".join(nearest(path.name, known, count=3))
        raise SettingError(
            f"There is no configuration {path}.",
            next_step=f"Nearest in {path.parent}: {near}." if near else "",
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SettingError(f"{path} is not YAML: {error}.") from error
    if not isinstance(content, Mapping):
        raise SettingError(f"{path} is no configuration: keys and values are expected.")
    if not is_configuration(path):
        raise SettingError(
            f"{path} is no configuration of a classifier.",
            next_step="One has parts as Global, Arch, DataLoader and Optimizer, or Global, "
            "PreProcess and PostProcess.",
        )
    findings = Findings()
    try:
        whole = _copy(content, [_MOST])
    except RecursionError as error:
        raise SettingError(f"{path} is nested too deeply, or holds itself.") from error
    return override(Configuration(path, Section(whole, "", findings)), overrides)


def override(configuration: Configuration, overrides: Sequence[str]) -> Configuration:
    """Return a configuration that nobody has read yet, changed by ``key=value``."""
    whole, findings = dict(configuration.whole.content), configuration.findings
    said, replaced = set(configuration.said), dict(configuration.replaced)
    for text in overrides:
        key, was = _override(whole, text, findings)
        if was is not _NOTHING and key not in said:
            replaced[key] = was
        said.add(key)
    changed = Section(whole, "", findings)
    return Configuration(configuration.path, changed, frozenset(said), replaced)


def _copy(value: Any, left: list[int]) -> Any:
    """Return a copy in which texts are the literals that they spell, and nothing is shared."""
    left[0] -= 1
    if left[0] < 0:
        raise SettingError(f"The configuration holds more than {_MOST:,} values.")
    if isinstance(value, Mapping):
        return {str(key): _copy(item, left) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item, left) for item in value]
    return read_literal(value) if isinstance(value, str) else value


def _override(content: dict[str, Any], text: str, findings: Findings) -> tuple[str, Any]:
    """Set the value that ``key=value`` names; return the key and what stood there."""
    key, equals, spelt = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SettingError(
            f"-o {text} sets nothing.", next_step="Write key=value, as in Global.epochs=2"
        )
    value = read_literal(spelt)
    if isinstance(value, str):
        value, word = read_word(value)
        if word:
            findings.note(
                f"{key} is {value!r}: {spelt.strip()!r} is read as YAML means it; PaddleClas "
                "takes it for a text."
            )
    *path, last = key.split(".")
    place: Any = content
    for index, name in enumerate(path):
        place = _enter(place, name, ".".join(path[: index + 1]))
    if isinstance(place, list):
        at = _position(place, last, key)
        was, place[at] = place[at], value
    else:
        was, place[last] = place.get(last, _NOTHING), value
    return key, was


def _enter(place: Any, name: str, dotted: str) -> Any:
    """Return what is called ``name`` in ``place``; a new mapping where there is nothing."""
    if isinstance(place, list):
        position = _position(place, name, dotted)
        if isinstance(place[position], str):  # an operation without settings
            place[position] = {place[position]: None}
        return place[position]
    if not isinstance(place.get(name), dict | list):
        if place.get(name) is not None:
            raise SettingError(
                f"{dotted} is {place[name]!r}: nothing can be set below it.",
                next_step=f"Set the whole: -o {dotted}=…",
            )
        place[name] = {}
    return place[name]


def _position(place: list[Any], name: str, dotted: str) -> int:
    if not name.isdigit() or int(name) >= len(place):
        held = [
            next(iter(entry)) if isinstance(entry, dict) and entry else entry for entry in place
        ]
        listed = ", ".join(f"{at} {entry}" for at, entry in enumerate(held))
        near = nearest(name, [str(entry) for entry in held], count=1)
        hint = f" {near[0]} is number {[str(e) for e in held].index(near[0])}." if near else ""
        raise SettingError(
            f"{dotted}: {name} is no position in a list of {len(place)}.",
            next_step=f"There are: {listed}.{hint}",
        )
    return int(name)
