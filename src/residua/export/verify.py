"""Comparing the exports of a bundle anew, on whatever machine it has come to."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import numpy as np

from residua.base.errors import MissingExtraError, ResiduaError, SettingError
from residua.bundle.schema import Export, Parity, Takes
from residua.bundle.store import Bundle
from residua.engines.parity import ELSEWHERE, compare
from residua.engines.probes import make_image_probes, make_probes
from residua.engines.reference import find_answers, find_reference
from residua.export.formats import FORMATS
from residua.export.gate import Exam, ask, cut_crops, examine, list_probes, refuse, set_exam
from residua.export.run import Outcome
from residua.export.write import require_libraries


def verify_exports(
    bundle: Bundle,
    pictures: np.ndarray | None = None,
    images: Sequence[np.ndarray] | None = None,
    *,
    formats: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Compare the exports of the bundle (of ``formats``; all) with the reference answers here.

    Those that take crops are asked ``pictures``, uint8 [N, crop, crop, C], too; those that take
    whole pictures ``images``, each [H, W, C]. Without torch the answers that the bundle carries are
    used, and neither is asked. An export that does not answer as it should comes with a
    ParityError; one that this system cannot run comes without figures.
    """
    exams: dict[Takes, Exam] = {}
    for name, export in bundle.manifest.exports.items():
        if formats and export.format not in formats:
            continue
        takes = export.input
        if takes not in exams:
            exams[takes] = find_exam(bundle, images if takes == "image" else pictures, takes)
        yield _verify(bundle, name, export, exams[takes])


def _verify(bundle: Bundle, name: str, export: Export, exam: Exam) -> Outcome:
    engine = FORMATS[export.format].engine if export.format in FORMATS else None
    if engine is None:  # Core ML elsewhere than on Apple's systems
        return Outcome(name, export.model_copy(update={"parity": None}))
    try:
        require_libraries(export.format)
        if export.precision == "int8" and not exam.pictures:
            parity, excesses = _compare_with_own(bundle, export)
        else:
            parity, excesses = examine(bundle, export, exam)
    except ResiduaError as error:
        return Outcome(name, None, error)
    if excesses:
        return Outcome(name, None, refuse(name, excesses, written=True))
    return Outcome(name, export.model_copy(update={"parity": parity}))


def _compare_with_own(bundle: Bundle, export: Export) -> tuple[Parity, tuple[str, ...]]:
    """Compare an int8 artefact with its own answers to the probes where it was made."""
    own = find_answers(bundle, export)
    if own is None:
        raise SettingError(
            "It carries no answers to compare with.", next_step="Add --pictures, or export anew."
        )
    probes = list_probes(bundle.manifest.preprocess, export.input)
    return compare(own, ask(bundle, export, probes), ELSEWHERE)


def find_exam(
    bundle: Bundle, pictures: Sequence[np.ndarray] | np.ndarray | None, takes: Takes = "crop"
) -> Exam:
    """Return the exam: computed by torch where it is there, else of the answers in the bundle."""
    if find_spec("torch") is not None:
        return set_exam(bundle, pictures, takes)
    answers = find_reference(bundle, takes)
    if answers is None:
        raise MissingExtraError("torch", "all")
    preprocess = bundle.manifest.preprocess
    if takes == "crop":
        return Exam(make_probes(preprocess), answers, 0)
    images = make_image_probes(preprocess)
    return Exam(cut_crops(images, preprocess), answers, 0, images)
