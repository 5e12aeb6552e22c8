"""The pictures and what the teacher says of them, chunk by chunk, in a folder."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.base.errors import DataError
from residua.base.files import write_atomic
from residua.base.progress import Progress
from residua.bundle.store import WEIGHTS
from residua.data.source import Files, Source
from residua.data.sources.unlabelled import Unlabelled
from residua.distil.mine.chunks import Chunk, cut_into_chunks
from residua.distil.mine.confirm import Confirmer
from residua.distil.mine.known import Known, know
from residua.distil.mine.score import score
from residua.distil.mine.scores import Scores, read_scores
from residua.distil.mine.write import NOTE
from residua.evaluate.ranks import Ranks
from residua.predict.classifier import Classifier


class Asker:
    """A teacher, and the validation pictures that are not to be met again, looked at when needed.

    Whoever has all scores already need not look at them.
    """

    def __init__(self, teacher: Classifier, validation: Source | None) -> None:
        """Nothing is looked at yet."""
        self._teacher, self._validation = teacher, validation
        self._known: Known | None = None
        self._confirmer: Confirmer | None = None

    def ask(self, part: Chunk) -> Scores:
        """Return what the teacher says of a chunk."""
        if self._known is None:
            self._known = know(self._validation)
            if self._validation:
                self._confirmer = Confirmer(self._teacher.bundle, self._validation)
        return score(part, self._teacher, self._known, self._confirmer)


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked about what, in chunks of ``chunk`` pictures; the scores lie in ``work``."""

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
        asker = Asker(self.teacher, self.validation)
        progress = Progress("Asking the teacher")
        count = 0
        try:
            for number, part in self.cut():
                count = number + 1
                if number % ranks.world != ranks.rank:
                    continue
                if not self.has(number, part):
                    self.keep(number, asker.ask(part))
                progress.advance(len(part.names))
        finally:
            progress.close()
        return count

    def cut(self) -> Iterator[tuple[int, Chunk]]:
        """Yield all chunks with their numbers, always the same."""
        return enumerate(cut_into_chunks(self.pictures, self.chunk))

    def has(self, number: int, part: Chunk) -> bool:
        """Tell whether the scores of a chunk are there."""
        return read_scores(self._file(number), part.names) is not None

    def keep(self, number: int, scores: Scores) -> None:
        """Write the scores of a chunk."""
        scores.write(self._file(number))

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

    def _file(self, number: int) -> Path:
        return self.work / f"{number:07}.npz"


def _read_note(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# Asks about all chunks that have no scores yet, and returns how many chunks there are.
Scoring = Callable[[Run, Ranks], int]
