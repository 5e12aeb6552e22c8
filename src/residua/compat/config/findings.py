"""What a translation has to tell: where it differs from PaddleClas, and what it leaves out."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """``notes`` say where the translation differs from what PaddleClas does, and why.

    ``ignored`` are keys that have no meaning here, each with the reason.
    """

    notes: list[str] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Say ``text`` once."""
        if text not in self.notes:
            self.notes.append(text)

    def ignore(self, key: str, reason: str) -> None:
        """Say that ``key`` is ignored for ``reason``."""
        self.ignored.setdefault(key, reason)

    def spell(self) -> list[str]:
        """Return all of it as lines; keys that are ignored for one reason stand together."""
        by_reason: dict[str, dict[str, list[str]]] = {}
        for key, reason in self.ignored.items():
            part, _, name = key.rpartition(".")
            by_reason.setdefault(reason, {}).setdefault(part, []).append(name)
        left_out = [
            f"Ignored: {', '.join(_spell(part, names) for part, names in parts.items())}: {why}."
            for why, parts in by_reason.items()
        ]
        return [*self.notes, *left_out]


def _spell(part: str, names: list[str]) -> str:
    """Return keys of one part, as ``part.key`` or ``part.{key, key}``."""
    return f"{part}.{names[0]}" if len(names) == 1 else f"{part}.{{{', '.join(names)}}}"
