"""What a check of a data set has found, as a table for people and as a record for machines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from residua.base.clock import spell_bytes
from residua.data.doctor.look import FORMATS
from residua.data.doctor.survey import Survey

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

_SHOWN = 5  # examples of a finding; JSON has all


@dataclass(frozen=True, slots=True)
class Spot:
    """A picture: the number of its part and its position there."""

    part: int
    position: int


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of a finding, or a pair of them, and what there is to say of it."""

    spots: tuple[Spot, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found ``count`` times; ``advice`` says what to do.

    ``code`` is its name for machines. ``examples`` are all of them where they are pictures.
    """

    severity: Severity
    code: str
    title: str
    count: int
    advice: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkup:
    """The surveys of one part or two, and the findings, errors first.

    ``labels`` name the parts ("train", "val"); a data set of one part has one without a name.
    """

    surveys: tuple[Survey, ...]
    labels: tuple[str, ...]
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """Return how many kinds of things of a severity were found."""
        return sum(finding.severity == severity for finding in self.findings)

    def name(self, spot: Spot) -> str:
        """Return the name of a picture, with its part where there are two."""
        name = self.surveys[spot.part].source.names[spot.position]
        return f"{self.labels[spot.part]}/{name}" if self.labels[spot.part] else name

    def file(self, spot: Spot) -> str | None:
        """Return the path of a picture's file, if it has one of its own."""
        path = self.surveys[spot.part].source.file(spot.position)
        return None if path is None else str(path)


def sort_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return errors first, then warnings, then notes, each in the order given."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def render(checkup: Checkup) -> str:
    """Return the parts, the findings with a few examples each, and the sum of it."""
    lines: list[str] = []
    for label, survey in zip(checkup.labels, checkup.surveys, strict=True):
        lines += [*_render_part(label, survey), ""]
    for finding in checkup.findings:
        lines += [*_render_finding(checkup, finding), ""]
    counts = [(checkup.count(severity), severity) for severity in SEVERITIES]
    found = [f"{count} {word if count == 1 else word + 's'}" for count, word in counts if count]
    lines.append(f"{', '.join(found)}." if found else "Nothing was found that needs a look.")
    # A name that is no UTF-8 has escapes in it, which no terminal takes.
    return "\n".join(lines).encode(errors="replace").decode()


def as_record(checkup: Checkup) -> dict[str, Any]:
    """Return the check as plain JSON values, every picture of every finding named."""
    return {
        "parts": [
            {"part": label, **_describe_part(survey)}
            for label, survey in zip(checkup.labels, checkup.surveys, strict=True)
        ],
        "errors": checkup.count("error"),
        "warnings": checkup.count("warning"),
        "notes": checkup.count("note"),
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "title": finding.title,
                "count": finding.count,
                "advice": finding.advice,
                "examples": [
                    {
                        "pictures": [checkup.name(spot) for spot in example.spots],
                        "files": [checkup.file(spot) for spot in example.spots],
                        "text": example.text,
                    }
                    for example in finding.examples
                ],
            }
            for finding in checkup.findings
        ],
    }


def _render_part(label: str, survey: Survey) -> Iterator[str]:
    facts = _describe_part(survey)
    yield (
        f"{facts['data']}{f' ({label})' if label else ''}: {facts['pictures']} pictures of "
        f"{facts['classes']} classes, {spell_bytes(facts['bytes'])}"
    )
    if not facts["readable"]:
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in facts["formats"].items())
    yield f"  format      {kinds}"
    for side in ("width", "height", "short_side"):
        low, *middle, high = facts[side]
        quarters = " · ".join(str(value) for value in middle)
        yield f"  {side.replace('_', ' '):10}  {low} … {quarters} … {high} pixels"
    counts = list(facts["class_counts"].values())
    yield f"  a class     {min(counts)} … {int(np.median(counts))} … {max(counts)} pictures"


def _describe_part(survey: Survey) -> dict[str, Any]:
    """Return the facts of a part; sizes as smallest, quartiles and largest."""
    source, good = survey.source, survey.readable
    formats = np.bincount(survey.formats[good], minlength=len(FORMATS))
    sizes = survey.sizes[good]
    sides = {
        "width": sizes[:, 0],
        "height": sizes[:, 1],
        "short_side": sizes.min(axis=1, initial=2**31),
    }
    return {
        "data": source.title,
        "pictures": len(source),
        "readable": int(good.sum()),
        "classes": len(source.classes),
        "bytes": int(survey.bytes.sum()),
        "formats": {
            kind: int(formats[number]) for number, kind in enumerate(FORMATS) if formats[number]
        },
        **{name: _spread(values) for name, values in sides.items()},
        "class_counts": dict(
            zip(source.classes.names, source.count_classes().tolist(), strict=True)
        ),
        "listing_sha256": source.listing_sha256(),
    }


def _spread(values: np.ndarray) -> list[int]:
    if not len(values):
        return []
    return [round(value) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()]


def _render_finding(checkup: Checkup, finding: Finding) -> Iterator[str]:
    yield f"{finding.severity:8}{finding.count:7}  {finding.title}"
    for example in finding.examples[:_SHOWN]:
        names = "  =  ".join(checkup.name(spot) for spot in example.spots)
        yield f"{'':17}{names}{f': {example.text}' if names and example.text else example.text}"
    if len(finding.examples) > _SHOWN:
        yield f"{'':17}… and {len(finding.examples) - _SHOWN} more (--json has all)"
    yield f"{'':15}→ {finding.advice}"
