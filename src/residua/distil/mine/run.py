"""``residua distil mine``: from any number of unlabelled pictures to a list of the best.

    mined.txt  (or shards)    the pictures, with the teacher's class and its probability
    mined.json, mined.html    the report: how many of each class, how sure, what was left out
    mined.txt.mine/           the scores of each chunk

Whoever starts the same again goes on: scores that are there are not found anew. For another
number a class, or another threshold, the teacher is not asked again.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError, SettingError
from residua.base.files import locked
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.data.sources.unlabelled import find_unlabelled
from residua.distil.mine.asking import Run, Scoring
from residua.distil.mine.choose import Chooser
from residua.distil.mine.chunks import SIZE
from residua.distil.mine.report import Report
from residua.distil.mine.write import check_target, write_chosen
from residua.distil.teachers.teacher import refuse_several_labels
from residua.evaluate.ranks import SINGLE, Ranks
from residua.predict.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many pictures of each class, and how sure the teacher must be of them."""

    per_class: int = 1000
    threshold: float = 0.0


def mine(
    place: str, teacher: Classifier, output: Path, wanted: Wanted,
    *, validation: Source | None = None, classes: Classes | None = None, chunk: int = SIZE,
    overwrite: bool = False, ranks: Ranks = SINGLE, scoring: Scoring = Run.score,
) -> Report:  # fmt: skip
    """Choose pictures of ``place`` for the classes of ``teacher``; write them and the report.

    With ``classes`` for those of these that the teacher knows, by name; what it takes for another
    is left out. ``output`` is a list (.txt) or a folder of shards. Near duplicates of pictures of
    ``validation`` are left out. Of several processes each asks its teacher about its share, and the
    first chooses and writes; they see the same folder. ``scoring`` asks about all chunks in another
    way (``residua.cluster.mine``). Raises DataError, SettingError.
    """
    if wanted.per_class < 1 or not 0 <= wanted.threshold <= 1:
        raise SettingError("At least one picture a class, and a threshold in 0…1.")
    refuse_several_labels(teacher.bundle)
    pictures = find_unlabelled(place)
    work = output.with_name(f"{output.name}.mine")
    run = Run(pictures, work, chunk, teacher, validation)
    if ranks.first:
        check_target(output, pictures, work, overwrite=overwrite)
        work.mkdir(parents=True, exist_ok=True)
    ranks.share(None)
    with locked(work / "lock") if ranks.first else nullcontext():
        if ranks.first:
            run.begin(place)
        ranks.share(None)
        count = ranks.together(lambda: scoring(run, ranks))
        report = Report(
            place, teacher, classes or teacher.classes, wanted.per_class, wanted.threshold,
            validation,
        )  # fmt: skip
        return ranks.together(
            lambda: _choose(run, count, output, wanted, report, write=ranks.first)
        )


def _choose(
    run: Run, count: int, output: Path, wanted: Wanted, report: Report, *, write: bool
) -> Report:
    """Choose by the scores of ``count`` chunks; ``write`` says whether to write it too."""
    classes = report.classes
    positions = _match(run.teacher.classes, classes)
    chooser = Chooser(len(classes), wanted.per_class, wanted.threshold)
    first = 0
    for scores in run.read(count):
        own = positions[scores.classes]  # an unreadable one has -1, the last of them
        chooser.add(first, own, scores.scores, scores.like < 0)
        report.see(scores, own)
        first += len(scores.names)
    if not first:
        raise DataError(f"{run.pictures.place} holds no pictures.")
    chosen = chooser.result()
    report.choose(chosen)
    if write:
        left_out = write_chosen(output, run.pictures, run.chunks(count), chosen, classes)
        report.leave_out(left_out)
        report.write(output)
    if not report.chosen:
        raise DataError(
            f"None of {report.seen} pictures was chosen.\n{report.spell()}",
            next_step=f"Lower --threshold, or see {output.with_suffix('.html')}.",
        )
    return report


def _match(given: Classes, wanted: Classes) -> NDArray[np.int32]:
    """Return of each of the teacher's classes its position among the wanted: int32 [classes + 1].

    -1 is none; so has the last entry, which stands for no class at all.
    """
    positions = np.full(len(given) + 1, -1, dtype=np.int32)
    for position, known in enumerate(match_classes(given, wanted)):
        if known is not None:
            positions[known] = position
    return positions
