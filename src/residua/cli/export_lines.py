"""What residua export prints: the formats there are, and what came of each."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.export.run import Outcome


def spell_formats(*, json: bool) -> str:
    """Return a line a format: what it is, its precisions, and what it needs."""
    from dataclasses import asdict
    from importlib.util import find_spec
    from json import dumps

    from residua.export.formats import FORMATS

    if json:
        return dumps({name: asdict(form) for name, form in FORMATS.items()})
    lines = []
    width = max(len(form.title) for form in FORMATS.values()) + 2
    for name, form in FORMATS.items():
        missing = [library for library in form.libraries if find_spec(library) is None]
        state = f"needs: pip install 'residua[{form.extra}]'" if missing else "installed"
        precisions = ", ".join(form.precisions)
        lines.append(f"{name:<12}{form.title:<{width}}{precisions:<20}{state}")
    return "\n".join(lines)


def as_record(outcome: "Outcome") -> dict[str, Any]:
    """Return the record of the export, or the error, as plain JSON values."""
    if outcome.export is None:
        return {"error": str(outcome.error)}
    return outcome.export.model_dump(mode="json")


def spell_outcome(outcome: "Outcome", *, verified: bool = False) -> str:
    """Return what came of one format, in lines; ``verified``: of one that was there already."""
    export = outcome.export
    if export is None:
        return f"{outcome.name}: {'failed' if verified else 'not written'}. {outcome.error}"
    size = sum(record.bytes for record in export.files.values()) / 1e6
    lines = [f"{outcome.name}: {export.entry}, {size:.1f} MB"]
    if export.parity is None:
        lines.append("  not compared: it cannot be run on this system")
    else:
        parity = export.parity
        lines.append(
            f"  on {parity.inputs} {export.input}s ({parity.pictures} of pictures) the best class "
            f"agrees on {parity.agreement:.1%}, probabilities within {parity.difference:.2g}"
        )
    if (drop := export.drop) is not None:
        lines.append(
            f"  {drop.score} on {drop.images} pictures: float32 {drop.fp32:.2%}, int8 "
            f"{drop.int8:.2%}; {drop.kept} of {drop.layers} layers left in float32"
        )
    return "\n".join([*lines, *(f"  {note}" for note in export.notes)])
