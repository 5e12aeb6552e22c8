"""A chunk of pictures before the teacher: decoded and looked at in threads, computed in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import ImageError
from residua.distil.mine.chunks import Chunk
from residua.distil.mine.confirm import Confirmer
from residua.distil.mine.known import Known, Match, look
from residua.distil.mine.scores import UNREADABLE, Scores
from residua.pixels.prepare import prepare
from residua.predict.classifier import Classifier
from residua.predict.inputs import UnreadableError
from residua.predict.pipeline import run_ahead


@dataclass(slots=True)
class _Seen:
    """A picture under way; ``match`` is found while it is decoded."""

    index: int
    match: Match | None = None


def score(
    chunk: Chunk, classifier: Classifier, known: Known, confirmer: Confirmer | None
) -> Scores:
    """Return what ``classifier`` says of each picture, and which look like a known one.

    Of what is not certain to be a near duplicate ``confirmer`` decides; without one it counts.
    """
    count = len(chunk.names)
    classes = np.full(count, UNREADABLE, dtype=np.int32)
    scores = np.zeros(count, dtype=np.float32)
    like, bits = np.full(count, -1, dtype=np.int32), np.zeros(count, dtype=np.int32)
    reasons = [""] * count
    for seen, outcome in _run(chunk, classifier, known):
        if isinstance(outcome, ImageError):
            reasons[seen.index] = outcome.reason
            continue
        classes[seen.index] = int(outcome.argmax())
        scores[seen.index] = outcome.max()
        match = seen.match
        if match is None:
            continue
        if (
            match.certain
            or confirmer is None
            or confirmer.confirms(chunk.read(seen.index), match.position)
        ):
            like[seen.index], bits[seen.index] = match.position, match.bits
    return Scores(chunk.names, classes, scores, like, bits, tuple(reasons))


def _run(
    chunk: Chunk, classifier: Classifier, known: Known
) -> Iterator[tuple[_Seen, NDArray[np.float32] | ImageError]]:
    items = map(_Seen, range(len(chunk.names)))
    prepare_one = partial(_prepare, chunk=chunk, classifier=classifier, known=known)
    engine = classifier.engine
    return run_ahead(items, prepare_one, engine, batch_size=engine.good_batch)


def _prepare(
    seen: _Seen, *, chunk: Chunk, classifier: Classifier, known: Known
) -> NDArray[np.uint8]:
    name = chunk.names[seen.index]
    try:
        data = chunk.read(seen.index)
    except OSError as error:
        raise UnreadableError(f"{name} cannot be read: {error.strerror or error}.") from error
    crop = prepare(data, classifier.manifest.preprocess, limits=classifier.limits, name=name)
    if len(known.codes):
        seen.match = known.find(look(data, name, mirrored=True))
    return crop
