"""The data doctor: what is wrong with a data set, before hours are spent on training with it.

Every picture is read once (``survey``), pictures are compared with each other (``repeats``) and
parts by their classes. An *error* makes figures wrong or pictures useless, a *warning* deserves a
decision, a *note* is good to know.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from residua.base.errors import DataError
from residua.data.doctor.classes import check_classes
from residua.data.doctor.findings import Checkup, Example, Finding, Severity, Spot, sort_findings
from residua.data.doctor.likeness import DISTANCE
from residua.data.doctor.pictures import check_pictures
from residua.data.doctor.repeats import Pairs, Repeats, find_repeats
from residua.data.doctor.survey import Survey, survey
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.open import open_source
from residua.data.sources.parts import find_parts, open_parts

LABELS = ("train", "val")


def open_for_check(
    place: str | Path, settings: DataPart, *, validation: str | Path | None = None
) -> tuple[Source, ...]:
    """Return the one part or the two of a data set as they are: nothing is split off.

    Parts whose classes do not fit each other are opened all the same, each with its own classes.
    """
    found = find_parts(place, settings)
    if not found and not validation:
        return (open_source(place, settings),)
    try:
        parts = open_parts(place, settings, validation=validation)
    except DataError:
        # Either the classes differ, which the check reports, or this raises once more.
        training = found.training if found else place
        held_out = validation or (found.validation if found else place)
        return open_source(training, settings), open_source(held_out, settings)
    return parts.training, parts.validation


def check(
    parts: Sequence[Source],
    *,
    image_size: int = 224,
    distance: int = DISTANCE,
    threads: int | None = None,
    show_progress: bool = False,
) -> Checkup:
    """Look at every picture of ``parts`` (training, validation; or one) and report.

    ``image_size`` in pixels is what training is meant to use; hashes of near duplicates differ in
    at most ``distance`` of 64 bits. ``threads`` None: one a core.
    """
    surveys = tuple(survey(part, threads=threads, show_progress=show_progress) for part in parts)
    labels = LABELS[: len(parts)] if len(parts) > 1 else ("",)
    findings = [
        *check_pictures(surveys, image_size),
        *_check_repeats(surveys, find_repeats(surveys, distance=distance)),
        *check_classes(parts, labels),
        *_pass_notes(parts),
    ]
    return Checkup(surveys, labels, sort_findings(findings))


def _check_repeats(surveys: Sequence[Survey], repeats: Repeats) -> Iterator[Finding]:
    pairs: tuple[tuple[Severity, str, Pairs, str, str], ...] = (
        ("error", "leak", repeats.leaks, "validation pictures that are in training as well",
         "Take them out of one part: the figures count what was learnt by heart."),
        ("error", "conflict", repeats.conflicts, "pictures that are there under another class too",
         "Keep the right one; if several classes are right, use multi-label data."),
        ("warning", "near-leak", repeats.near_leaks,
         "validation pictures that look like training pictures",
         "Look at the pairs (--sheet). residua data split can keep groups together."),
        ("warning", "near-conflict", repeats.near_conflicts,
         "pairs of different classes that look alike",
         "Look at the pairs (--sheet): one of the labels may be wrong."),
        ("warning", "repeat", repeats.repeats, "copies of pictures of the same class",
         "Remove the copies: each counts as often as it is there."),
        ("note", "near-repeat", repeats.near_repeats, "pairs of one class that look alike",
         "Harmless within training, if they are few."),
    )  # fmt: skip
    spots = [
        Spot(number, position)
        for number, part in enumerate(surveys)
        for position in range(len(part.source))
    ]
    for severity, code, found, title, advice in pairs:
        if not len(found):
            continue
        count = len(set(found.pictures[:, 1].tolist())) if "leak" in code else len(found)
        examples = tuple(
            Example(
                (spots[first], spots[second]), _explain(surveys, spots[first], spots[second], bits)
            )
            for (first, second), bits in zip(
                found.pictures.tolist(), found.distance.tolist(), strict=True
            )
        )
        yield Finding(severity, code, title, count, advice, examples)


def _explain(surveys: Sequence[Survey], first: Spot, second: Spot, bits: int) -> str:
    """Return what makes a pair, and the classes where they differ."""
    one, other = surveys[first.part], surveys[second.part]
    if (one.pixel_digests[first.position] != other.pixel_digests[second.position]).any():
        text = f"{bits} of 64 hash bits differ"
    elif (one.file_digests[first.position] == other.file_digests[second.position]).all():
        text = "the same file"
    else:
        text = "the same pixels"
    labels = one.source.spell_label(first.position), other.source.spell_label(second.position)
    return text if labels[0] == labels[1] else f"{text}; {labels[0]} and {labels[1]}"


def _pass_notes(parts: Sequence[Source]) -> Iterator[Finding]:
    """Pass on what opening the parts has told."""
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    if notes:
        yield Finding(
            "note", "listing", "remarks on how the data set is laid out", len(notes),
            "Nothing, if this is meant so.", tuple(Example((), note) for note in notes),
        )  # fmt: skip
