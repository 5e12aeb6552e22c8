"""A part of a configuration, read key by key: a key that nobody asks for is unexplained.

What a translation knows it takes; what has no meaning here it ignores with a reason; what would
change the result it refuses. At the end ``close`` refuses all that is left.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from residua.base.errors import SettingError
from residua.base.nearest import nearest
from residua.compat.config.findings import Findings
from residua.compat.config.values import read_literal, read_word


class Section:
    """A mapping of the configuration at a dotted place."""

    def __init__(self, content: Mapping[str, Any], place: str, findings: Findings) -> None:
        """``place`` is "" for the whole; ``findings`` hears what is ignored."""
        self.content, self.place, self.findings = content, place, findings
        self._asked: dict[str, Section | list[Section] | None] = {}

    def __contains__(self, key: str) -> bool:
        """Whether the configuration gives ``key`` a value other than null."""
        return self.content.get(key) is not None

    def where(self, key: str) -> str:
        """Return the dotted name of ``key``."""
        return f"{self.place}.{key}" if self.place else key

    def take(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``; ``default`` where it is absent or null."""
        self._asked.setdefault(key, None)
        value = self.content.get(key)
        return default if value is None else value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number, which may be spelt as 1.0/255.0. Raises SettingError."""
        value = self.take(key, default)
        value = read_literal(value) if isinstance(value, str) else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(key, f"is {value!r}, where a number is expected")
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number. Raises SettingError."""
        value = self.number(key, default)
        if value != int(value):
            raise self.refused(key, f"is {value!r}, where a whole number is expected")
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a truth value; "true" and "false" as text mean what they say. SettingError."""
        value = self.take(key, default)
        if isinstance(value, str):
            value, known = read_word(value)
            value = value if known else read_literal(value)
        if value in (0, 1, None):
            value = bool(value)
        if not isinstance(value, bool):
            raise self.refused(key, f"is {value!r}, where True or False is expected")
        return bool(value)

    def text(self, key: str, default: str = "") -> str:
        """Return a text; "null" and "None" are none. Raises SettingError."""
        value = self.take(key, default)
        if isinstance(value, str) and read_word(value) == (None, True):
            return default
        if not isinstance(value, str):
            raise self.refused(key, f"is {value!r}, where a text is expected")
        return value

    def numbers(self, key: str, default: list[float] | None = None) -> list[float]:
        """Return a list of numbers; one alone is a list of it. Raises SettingError."""
        value = self.take(key, default or [])
        value = value if isinstance(value, list) else [value]
        read = [read_literal(item) if isinstance(item, str) else item for item in value]
        if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in read):
            raise self.refused(key, f"is {value!r}, where numbers are expected")
        return read

    def part(self, key: str) -> "Section":
        """Return the mapping at ``key``; an empty one where there is none. Raises SettingError."""
        known = self._asked.get(key)
        if isinstance(known, Section):
            return known
        value = self.content.get(key) or {}
        if not isinstance(value, Mapping):
            raise self.refused(key, f"is {value!r}, where keys and values are expected")
        section = Section(value, self.where(key), self.findings)
        self._asked[key] = section
        return section

    def has_taken(self, key: str) -> bool:
        """Tell whether ``key`` has been read as a part."""
        return isinstance(self._asked.get(key), Section)

    def adopt(self, key: str, part: "Section") -> None:
        """Let ``part`` be what stands at ``key``, and be closed with the rest."""
        self._asked[key] = part

    def steps(self, key: str) -> list[tuple[str, "Section"]]:
        """Return a list of single operations, as ``- Name: {settings}``, by name.

        Raises SettingError where an entry is no such thing.
        """
        known = self._asked.get(key)
        if isinstance(known, list):
            return [(section.place.rpartition(".")[2], section) for section in known]
        value = self.content.get(key) or []
        if not isinstance(value, list):
            raise self.refused(key, f"is {value!r}, where a list is expected")
        found = []
        for index, given in enumerate(value):
            entry = {given: None} if isinstance(given, str) else given
            if not isinstance(entry, Mapping) or len(entry) != 1:
                raise self.refused(
                    key, f"has {entry!r} as entry {index}, where Name: {{…}} is expected"
                )
            ((name, settings),) = entry.items()
            if settings is not None and not isinstance(settings, Mapping):
                raise self.refused(key, f"has {settings!r} as the settings of {name}")
            place = f"{self.where(key)}.{index}.{name}"
            found.append((str(name), Section(settings or {}, place, self.findings)))
        self._asked[key] = [section for _, section in found]
        return found

    def ignore(self, *keys: str, reason: str) -> None:
        """Take note that ``keys``, where they ask for something, have no meaning here."""
        for key in keys:
            if key in self.content:
                self._asked.setdefault(key, None)
                if self.content[key] not in (None, False, "", {}, []):
                    self.findings.ignore(self.where(key), reason)

    def skip(self) -> None:
        """Take all keys, down to the last: the whole part is not used."""
        for key, value in self.content.items():
            if isinstance(value, Mapping):
                self.part(key).skip()
            elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
                for _, step in self.steps(key):
                    step.skip()
            else:
                self.take(key)

    def expect(self, key: str, value: Any, *, why: str, next_step: str = "") -> None:
        """Refuse ``key`` unless it is absent, null or ``value``: another would change the result.

        ``why`` ends the sentence "KEY is VALUE, ".
        """
        given = self.take(key, value)
        if isinstance(value, bool):
            given = self.flag(key, value)
        elif isinstance(given, str) and not isinstance(value, str):
            given = read_literal(given)
        if given != value:
            raise self.refused(key, f"is {given!r}, {why}", next_step)

    def refused(self, key: str, problem: str, next_step: str = "") -> SettingError:
        """Return the error to raise for ``key``; ``problem`` goes on after its name."""
        return SettingError(f"{self.where(key)} {problem}.", next_step=next_step)

    def close(self) -> None:
        """Raise SettingError for the keys that nobody has asked for, with the nearest known."""
        if unasked := list(self.list_unasked()):
            place, known = unasked[0]
            raise unknown(place, known, [name for name, _ in unasked[1:]])

    def list_unasked(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the keys that nobody has asked for, each with those asked for beside it."""
        for key, value in self.content.items():
            if key not in self._asked:
                if value is not None:
                    yield self.where(str(key)), list(self._asked)
                continue
            below = self._asked[key]
            for section in below if isinstance(below, list) else [below]:
                if section is not None:
                    yield from section.list_unasked()


def unknown(place: str, known: Sequence[str], others: Sequence[str] = ()) -> SettingError:
    """Return the error for a key that nobody knows, where ``known`` are known beside it."""
    near = nearest(place.rpartition(".")[2], known, count=3)
    offer = f" Nearest to {place}: {', '.join(near)}." if near else ""
    more = f", and {len(others)} more: {', '.join(others[:5])}" if others else ""
    return SettingError(
        f"This configuration has what residua does not know: {place}{more}.",
        next_step=f"Take it out if it may be left.{offer}",
    )
