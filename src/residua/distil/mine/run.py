"""``residua distil mine``: from any number of unlabelled pictures to a list of the best.

    mined.txt  (or shards)    the pictures, with the teacher's class and its probability
    mined.json, mined.html    the report: how many of each class, how sure, what was left out
    mined.txt.mine/           the scores of each chunk

Whoever starts the same again goes on: scores that are there are not found anew. For another
number a class, or another threshold, the teacher is not asked again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, SettingError
from residua.base.files import locked, write_atomic
from residua.base.progress import Progress
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes
from residua.bundle.store import WEIGHTS
from residua.data.source import Source
from residua.data.sources.unlabelled import Place, find_place
from residua.distil.mine.choose import Chooser
from residua.distil.mine.chunks import SIZE, cut_into_chunks
from residua.distil.mine.confirm import Confirmer
from residua.distil.mine.known import know
from residua.distil.mine.report import Report
from residua.distil.mine.score import score
from residua.distil.mine.scores import Scores, read_scores
from residua.distil.mine.write import check_target, write_chosen
from residua.predict.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many pictures of each class, and how sure the teacher must be of them."""

    per_class: int = 1000
    threshold: float = 0.0


def mine(
    place: str, teacher: Classifier, output: Path, wanted: Wanted,
    *, validation: Source | None = None, classes: Classes | None = None, chunk: int = SIZE,
) -> Report:  # fmt: skip
    """Choose pictures of ``place`` for the classes of ``teacher``; write them and the report.

    With ``classes`` for those of these that the teacher knows, by name; what it takes for another
    is left out. ``output`` is a list (.txt) or a folder of shards. Near duplicates of pictures of
    ``validation`` are left out. Raises DataError, SettingError.
    """
    if wanted.per_class < 1 or not 0 <= wanted.threshold <= 1:
        raise SettingError("At least one picture a class, and a threshold in 0…1.")
    pictures = find_place(place)
    check_target(output, pictures)
    work = output.with_name(f"{output.name}.mine")
    work.mkdir(parents=True, exist_ok=True)
    with locked(work / "lock"):
        _begin(work, place, teacher, validation, chunk)
        classes = classes or teacher.classes
        places = _place(teacher.classes, classes)
        chooser = Chooser(len(classes), wanted.per_class, wanted.threshold)
        report = Report(place, teacher, classes, wanted.per_class, wanted.threshold, validation)
        first = 0
        for scores in _score_all(pictures, teacher, validation, work, chunk):
            own = places[scores.classes]  # an unreadable one has -1, the last of them
            chooser.add(first, own, scores.scores, scores.like < 0)
            report.see(scores, own)
            first += len(scores.names)
        if not first:
            raise DataError(f"{place} holds no pictures.")
        chosen = chooser.result()
        report.choose(chosen)
        write_chosen(output, pictures, chosen, classes, chunk)
        report.write(output)
    return report


def _place(given: Classes, wanted: Classes) -> NDArray[np.int32]:
    """Return of each of the teacher's classes its place among the wanted: int32 [classes + 1].

    -1 is none; so has the last entry, which stands for no class at all.
    """
    places = np.full(len(given) + 1, -1, dtype=np.int32)
    for place, known in enumerate(match_classes(given, wanted)):
        if known is not None:
            places[known] = place
    return places


def _begin(
    work: Path, place: str, teacher: Classifier, validation: Source | None, chunk: int
) -> None:
    """Go on with what lies in ``work``, if it is of the same teacher and pictures."""
    said: dict[str, Any] = {
        "place": str(Path(place).resolve()), "chunk": chunk,
        "teacher": teacher.manifest.files[WEIGHTS].sha256,
        "validation": validation.listing_sha256() if validation else "",
    }  # fmt: skip
    path = work / "mine.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != said:
        for old in work.glob("*.npz"):
            old.unlink()
    write_atomic(path, json.dumps(said).encode())


def _score_all(
    pictures: Place, teacher: Classifier, validation: Source | None, work: Path, chunk: int
) -> Iterator[Scores]:
    """Yield the scores of all chunks: those on the disk, and the others once they are there."""
    known = None
    confirmer: Confirmer | None = None
    progress = Progress("Asking the teacher")
    try:
        for number, part in enumerate(cut_into_chunks(pictures, chunk)):
            path = work / f"{number:07}.npz"
            scores = read_scores(path, part.names)
            if scores is None:
                if known is None:  # whoever has all scores already need not look at them
                    known = know(validation)
                    confirmer = Confirmer(teacher.bundle, validation) if validation else None
                scores = score(part, teacher, known, confirmer)
                scores.write(path)
            progress.advance(len(part.names))
            yield scores
    finally:
        progress.close()
