"""``residua distil mine``: from any number of unlabelled pictures to a list of the best.

    mined.txt  (or shards)    the pictures, with the teacher's class and its probability
    mined.json, mined.html    the report: how many of each class, how sure, what was left out
    mined.txt.mine/           the scores of each chunk

Whoever starts the same again goes on: scores that are there are not found anew. For another
number a class, or another threshold, the teacher is not asked again.
"""

import json
from collections.abc import Iterator
from contextlib import nullcontext
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
from residua.data.source import Files, Source
from residua.data.sources.unlabelled import Unlabelled, find_unlabelled
from residua.distil.mine.choose import Chooser
from residua.distil.mine.chunks import SIZE, Chunk, cut_into_chunks
from residua.distil.mine.confirm import Confirmer
from residua.distil.mine.known import Known, know
from residua.distil.mine.report import Report
from residua.distil.mine.score import score
from residua.distil.mine.scores import Scores, read_scores
from residua.distil.mine.write import NOTE, check_target, write_chosen
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
    overwrite: bool = False, ranks: Ranks = SINGLE,
) -> Report:  # fmt: skip
    """Choose pictures of ``place`` for the classes of ``teacher``; write them and the report.

    With ``classes`` for those of these that the teacher knows, by name; what it takes for another
    is left out. ``output`` is a list (.txt) or a folder of shards. Near duplicates of pictures of
    ``validation`` are left out. Of several processes each asks its teacher about its share, and the
    first chooses and writes; they see the same folder. Raises DataError, SettingError.
    """
    if wanted.per_class < 1 or not 0 <= wanted.threshold <= 1:
        raise SettingError("At least one picture a class, and a threshold in 0…1.")
    refuse_several_labels(teacher.bundle)
    pictures = find_unlabelled(place)
    work = output.with_name(f"{output.name}.mine")
    run = _Run(pictures, work, chunk, teacher, validation)
    if ranks.first:
        check_target(output, pictures, work, overwrite=overwrite)
        work.mkdir(parents=True, exist_ok=True)
    ranks.share(None)
    with locked(work / "lock") if ranks.first else nullcontext():
        if ranks.first:
            run.begin(place)
        ranks.share(None)
        count = ranks.together(lambda: run.score(ranks))
        report = Report(
            place, teacher, classes or teacher.classes, wanted.per_class, wanted.threshold,
            validation,
        )  # fmt: skip
        return ranks.together(
            lambda: _choose(run, count, output, wanted, report, write=ranks.first)
        )


def _choose(
    run: "_Run", count: int, output: Path, wanted: Wanted, report: Report, *, write: bool
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


@dataclass(frozen=True, slots=True)
class _Run:
    """The pictures and what the teacher says of them, chunk by chunk, in the folder ``work``."""

    pictures: Unlabelled
    work: Path
    chunk: int
    teacher: Classifier
    validation: Source | None

    def begin(self, place: str) -> None:
        """Go on with what lies there, if it is of the same teacher and pictures."""
        manifest = self.teacher.manifest
        said: dict[str, Any] = {
            "place": str(Path(place).resolve()), "chunk": self.chunk,
            "teacher": manifest.files[WEIGHTS].sha256, "engine": self.teacher.engine.name,
            "preprocess": manifest.preprocess.model_dump(mode="json"),
            "temperature": manifest.calibration.temperature,
            "validation": self.validation.listing_sha256() if self.validation else "",
        }  # fmt: skip
        path = self.work / NOTE
        if _read_note(path) != said:
            for old in self.work.glob("*.npz"):
                old.unlink()
        write_atomic(path, json.dumps(said).encode())

    def score(self, ranks: Ranks) -> int:
        """Find the scores that are not there yet, of every ``ranks.world``-th chunk.

        Returns how many chunks there are.
        """
        known: Known | None = None
        confirmer: Confirmer | None = None
        progress = Progress("Asking the teacher")
        count = 0
        try:
            for number, part in enumerate(cut_into_chunks(self.pictures, self.chunk)):
                count = number + 1
                if number % ranks.world != ranks.rank:
                    continue
                path = self._file(number)
                if read_scores(path, part.names) is None:
                    if known is None:  # whoever has all scores already need not look at them
                        known = know(self.validation)
                        confirmer = self._make_confirmer()
                    score(part, self.teacher, known, confirmer).write(path)
                progress.advance(len(part.names))
        finally:
            progress.close()
        return count

    def read(self, count: int) -> Iterator[Scores]:
        """Yield the scores of ``count`` chunks. Raises DataError where some are not there."""
        for number in range(count):
            scores = read_scores(self._file(number))
            if scores is None:
                raise DataError(
                    f"{self._file(number)} is not there, or cannot be read.",
                    next_step="Begin again with the same command; several processes must see the "
                    "same folder.",
                )
            yield scores

    def chunks(self, count: int) -> Iterator[Chunk]:
        """Yield the chunks as they were when they were scored. Raises DataError for other shards.

        Whatever has come since then, names stay with their scores.
        """
        if self.pictures.root is not None:
            for scores in self.read(count):
                yield Chunk(scores.names, Files(self.pictures.root, scores.names))
            return
        pairs = zip(cut_into_chunks(self.pictures, self.chunk), self.read(count), strict=False)
        for part, scores in pairs:
            if part.names != scores.names:
                raise DataError(
                    f"The shards at {self.pictures.place} have changed while they were read.",
                    next_step="Begin again: the same command.",
                )
            yield part

    def _make_confirmer(self) -> Confirmer | None:
        return Confirmer(self.teacher.bundle, self.validation) if self.validation else None

    def _file(self, number: int) -> Path:
        return self.work / f"{number:07}.npz"


def _read_note(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
