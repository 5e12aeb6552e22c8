"""Exporting: one format after the other into the bundle, each through the parity gate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from residua.base.errors import ResiduaError, SettingError, UnknownNameError
from residua.bundle.exports import ANSWERS, REFERENCE, add_export, add_file, name_export
from residua.bundle.schema import Export, Precision, Takes
from residua.bundle.store import Bundle, read_bundle
from residua.engines.reference import find_reference, pack_reference
from residua.export.formats import FORMATS
from residua.export.gate import Exam, ask, examine, list_probes, refuse, set_exam
from residua.export.guard import Guard
from residua.export.write import require_libraries, write_files, write_quantised

Notify = Callable[[str], None]
_PICTURES = 64  # of those calibrated on, for the gate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one format: the export, or the error that kept it from being written."""

    name: str
    export: Export | None
    error: ResiduaError | None = None


def export_bundle(
    bundle: Bundle,
    formats: Sequence[str],
    *,
    precision: Precision = "fp32",
    takes: Takes = "crop",
    pictures: Sequence[np.ndarray] | np.ndarray | None = None,
    guard: Guard | None = None,
    max_drop: float = 0.005,
    notify: Notify = lambda _: None,
) -> Iterator[Outcome]:
    """Write ``formats`` into the bundle and yield what came of each.

    They take crops, or whole pictures of any size. ``pictures`` are real ones of that kind that the
    gate asks besides its probes, uint8 [crop, crop, C] or [H, W, C]; ``guard`` is what int8 is
    calibrated and judged on, which may cost ``max_drop`` of its score (0…1). A format that fails
    leaves what was there; the others go on. Raises UnknownNameError and SettingError before any
    work.
    """
    for name in formats:
        check_format(name, precision, takes)
    if precision == "int8" and guard is None:
        raise SettingError(
            "int8 needs pictures to calibrate on.", next_step="Add --calibrate PICTURES."
        )
    if guard is not None and pictures is None:
        if takes == "image":
            raise SettingError(
                "int8 for whole pictures needs some to compare on.", next_step="Add --pictures."
            )
        pictures = guard.crops[:_PICTURES]
    exam = set_exam(bundle, pictures, takes)
    bundle = keep_reference(bundle, exam)
    for name in formats:
        label = name_export(name, precision, takes)
        notify(f"{label}: writing and comparing on {len(exam.crops)} {takes}s …")
        try:
            bundle = write_export(bundle, name, precision, exam, guard, max_drop)
        except ResiduaError as error:
            yield Outcome(label, None, error)
        else:
            yield Outcome(label, bundle.manifest.exports[label])


def check_format(name: str, precision: str, takes: Takes = "crop") -> None:
    """Refuse a format that does not exist, or not in ``precision`` or with what it shall take."""
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS, next_step="All: residua export --list")
    able = FORMATS[name].precisions
    if precision not in able:
        raise SettingError(
            f"The {name} format is not written in {precision}.",
            next_step=f"It takes: {', '.join(able)}.",
        )
    if takes == "image" and not FORMATS[name].images:
        able = tuple(each for each, form in FORMATS.items() if form.images)
        raise SettingError(
            f"The {name} format takes crops only: it cannot resize pictures as residua does.",
            next_step=f"Drop --input image, or take one of: {', '.join(able)}.",
        )


def keep_reference(bundle: Bundle, exam: Exam) -> Bundle:
    """Put the answers to the probes into the bundle: machines without torch compare with them."""
    bundle = read_bundle(bundle.path)
    kept: dict[Takes, np.ndarray] = {exam.takes: exam.answers[: len(exam.answers) - exam.pictures]}
    other: Takes = "crop" if exam.takes == "image" else "image"
    if (found := find_reference(bundle, other)) is not None:
        kept[other] = found
    return add_file(bundle, REFERENCE, pack_reference(kept, bundle.manifest))


def write_export(
    bundle: Bundle,
    name: str,
    precision: Precision,
    exam: Exam,
    guard: Guard | None = None,
    max_drop: float = 0.005,
) -> Bundle:
    """Write one format and return the bundle with it.

    Raises MissingExtraError where its library is not installed, ParityError where the artefact
    answers differently: then nothing is written.
    """
    require_libraries(name, precision)
    label = name_export(name, precision, exam.takes)

    def make(folder: Path) -> Export:
        if precision == "int8" and guard is not None:
            export = write_quantised(bundle, folder, name, guard, max_drop, exam.takes)
        else:
            export = write_files(bundle, folder, name, precision, exam.takes)
        if FORMATS[name].engine is None:
            return export
        scratch = Bundle(folder, bundle.manifest)
        parity, excesses = examine(scratch, export, exam)
        if excesses:
            raise refuse(label, excesses, drop=export.drop)
        if precision == "int8":
            answers = ask(scratch, export, list_probes(bundle.manifest.preprocess, exam.takes))
            own = pack_reference({exam.takes: answers}, bundle.manifest)
            (folder / ANSWERS).write_bytes(own)
        return export.model_copy(update={"parity": parity})

    return add_export(bundle, label, make)
