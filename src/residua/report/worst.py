"""What to look at: the worst mistakes with their maps, confused pairs, a right answer per class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from residua.data.view import EvaluationView
from residua.evaluate.confusion import Confused
from residua.evaluate.metrics import first_answers
from residua.evaluate.scores import Scores
from residua.report.cam import enlarge, map_classes, paint
from residua.report.counted import spell_classes
from residua.report.facts import Answer, Mistake, Pair, Picture
from residua.report.thumbnails import as_rgb, as_uri, fit
from residua.zoo.resnet import ResNet

# A label is doubtful where another class has so much probability, and its own so little.
SURE, DENIED = 0.95, 0.01
_ANSWERS = 5
_MAPPED = 16  # pictures a run of the network


class Answers:
    """The single-label answers of an evaluation, a row a picture that has one, and its pictures.

    ``names`` are of all classes, in order; ``labels`` and ``given`` the classes of the pictures,
    int64 [N], ``losses`` the negative log-likelihoods in nats. A picture with a
    NaN among its probabilities has no answer and no row.
    """

    def __init__(self, view: EvaluationView, scores: Scores) -> None:
        """``scores`` are those of an evaluation of ``view``."""
        given = first_answers(scores.probabilities)
        # A slice makes no copy of what may be 200 MB.
        rows = slice(None) if (given >= 0).all() else given >= 0
        self.view = view
        self.names = spell_classes(view.source.classes)
        self.given: NDArray[np.int64] = given[rows]
        self.indices = scores.indices[rows]
        self.probabilities = scores.probabilities[rows]
        self.labels: NDArray[np.int64] = view.source.labels[self.indices].astype(np.int64)
        self.losses = scores.losses(view.source)[rows]

    def name(self, row: int) -> str:
        """Return where the picture lies."""
        return self.view.source.names[int(self.indices[row])]

    def crop(self, row: int) -> NDArray[np.uint8]:
        """Return what the network saw of the picture: uint8 [H, W, C]."""
        out = np.empty(self.view.shape, np.uint8)
        self.view.fill(int(self.indices[row]), out)
        return out

    def picture(self, row: int, caption: str = "") -> Picture:
        """Return the picture as the page shows it."""
        return Picture(as_uri(fit(as_rgb(self.crop(row)))), self.name(row), caption)


def show_right(answers: Answers, limit: int = 24) -> tuple[Picture, ...]:
    """Return of each class the picture recognised with the greatest confidence, if there is one.

    Of many classes ``limit`` are shown, evenly spaced in the list of those that have one.
    """
    sure = answers.probabilities.max(axis=1)
    best: dict[int, int] = {}
    for row in np.lexsort((-sure, answers.labels)):  # by class, the surest first
        label = int(answers.labels[row])
        if answers.given[row] == label:
            best.setdefault(label, int(row))
    chosen = list(best)
    if len(chosen) > limit:
        places = np.linspace(0, len(chosen) - 1, limit).round().astype(int)
        chosen = [chosen[place] for place in places]
    names = answers.names
    return tuple(answers.picture(best[label], names[label]) for label in chosen)


def show_pairs(
    answers: Answers, pairs: Sequence[Confused], *, examples: int = 4
) -> tuple[Pair, ...]:
    """Return ``pairs`` with the mistakes that were made with the greatest confidence."""
    names = answers.names
    shown = []
    for pair in pairs:
        rows = np.flatnonzero((answers.labels == pair.label) & (answers.given == pair.answer))
        order = np.argsort(-answers.probabilities[rows, pair.answer], kind="stable")
        pictures = tuple(answers.picture(int(row)) for row in rows[order[:examples]])
        share = pair.count / pair.images
        shown.append(Pair(names[pair.label], names[pair.answer], pair.count, share, pictures))
    return tuple(shown)


def find_mistakes(answers: Answers) -> NDArray[np.int64]:
    """Return the rows of all wrong answers, those of the highest loss first."""
    wrong = np.flatnonzero(answers.given != answers.labels)
    ordered: NDArray[np.int64] = wrong[np.argsort(-answers.losses[wrong], kind="stable")]
    return ordered


def show_mistakes(
    answers: Answers, network: ResNet, rows: NDArray[np.int64]
) -> tuple[Mistake, ...]:
    """Return the mistakes at ``rows`` with the maps of the answer given and of the label."""
    shown: list[Mistake] = []
    for at in range(0, len(rows), _MAPPED):
        some = rows[at : at + _MAPPED]
        crops = np.stack([answers.crop(int(row)) for row in some])
        pairs = np.stack([answers.given[some], answers.labels[some]], axis=1)
        maps = map_classes(network, answers.view.preprocess, crops, pairs)
        shown += [
            _show_mistake(answers, int(row), crop, heat)
            for row, crop, heat in zip(some, crops, maps, strict=True)
        ]
    return tuple(shown)


def _show_mistake(
    answers: Answers, row: int, crop: NDArray[np.uint8], maps: NDArray[np.float32]
) -> Mistake:
    """Put a mistake together; ``maps`` [2, h, w] are of the answer and of the label."""
    names = answers.names
    truth, given = int(answers.labels[row]), int(answers.given[row])
    own = answers.probabilities[row]
    best = [int(label) for label in np.argsort(-own, kind="stable")[:_ANSWERS]]
    shown = best if truth in best else [*best, truth]
    pixels = fit(as_rgb(crop))
    heat = enlarge(maps[None], *pixels.shape[:2])[0]
    painted = [as_uri(paint(pixels, one, float(heat.max()))) for one in heat]
    name = answers.name(row)
    return Mistake(
        picture=Picture(as_uri(pixels), name, "as the network saw it"),
        answer_map=Picture(painted[0], name, f"speaks for {names[given]}"),
        truth_map=Picture(painted[1], name, f"speaks for {names[truth]}"),
        truth=names[truth],
        loss=float(answers.losses[row]),
        answers=tuple(Answer(names[k], float(own[k]), k == truth) for k in shown),
        doubtful=bool(own[given] >= SURE and own[truth] <= DENIED),
    )
