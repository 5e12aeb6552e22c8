"""Comparing the exports of a bundle anew, on whatever machine it has come to."""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from residua.base.errors import MissingExtraError, ResiduaError, SettingError
from residua.bundle.schema import Export, Parity
from residua.bundle.store import Bundle
from residua.engines.parity import ELSEWHERE, compare
from residua.engines.probes import make_probes
from residua.engines.reference import find_answers, find_reference
from residua.export.formats import FORMATS
from residua.export.gate import Exam, ask, examine, refuse, set_exam
from residua.export.run import Outcome, require_libraries


def verify_exports(bundle: Bundle, pictures: np.ndarray | None = None) -> Iterator[Outcome]:
    """Compare every export of the bundle with the reference answers on this machine.

    Without torch the answers that the bundle carries are used (and ``pictures`` are not). An export
    that does not answer as it should comes with a ParityError.
    """
    exam = find_exam(bundle, pictures)
    for name, export in bundle.manifest.exports.items():
        yield _verify(bundle, name, export, exam)


def _verify(bundle: Bundle, name: str, export: Export, exam: Exam) -> Outcome:
    engine = FORMATS[export.format].engine if export.format in FORMATS else None
    if engine is None:
        why = SettingError(f"{name} cannot be run on this system, so it was not compared.")
        return Outcome(name, None, why)
    try:
        require_libraries(export.format)
        if export.precision == "int8" and not exam.pictures:
            parity, excesses = _compare_with_own(bundle, export)
        else:
            parity, excesses = examine(bundle, export, exam)
    except ResiduaError as error:
        return Outcome(name, None, error)
    if excesses:
        return Outcome(name, None, refuse(name, excesses))
    return Outcome(name, export.model_copy(update={"parity": parity}))


def _compare_with_own(bundle: Bundle, export: Export) -> tuple[Parity, tuple[str, ...]]:
    """Compare an int8 artefact with its own answers to the probes where it was made."""
    own = find_answers(bundle, export)
    if own is None:
        raise SettingError(
            "It carries no answers to compare with.", next_step="Add --pictures, or export anew."
        )
    return compare(own, ask(bundle, export, make_probes(bundle.manifest.preprocess)), ELSEWHERE)


def find_exam(bundle: Bundle, pictures: np.ndarray | None) -> Exam:
    """Return the exam: computed by torch where it is there, else of the answers in the bundle."""
    if find_spec("torch") is not None:
        return set_exam(bundle, pictures)
    answers = find_reference(bundle)
    if answers is None:
        raise MissingExtraError("torch", "all")
    return Exam(make_probes(bundle.manifest.preprocess), answers, 0)
