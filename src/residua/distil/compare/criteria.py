"""From the name of a method to the loss of each row: what ``DistilPart`` says, as a module.

A criterion is called with what student and teacher have seen, the targets as rows and the place of
these rows in the run. Those that compare features have weights of their own, which learn with the
student.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture
from residua.data.draws import Purpose, fractions
from residua.distil.compare import losses
from residua.distil.compare.features import (
    AttentionTransfer,
    Likeness,
    MaskedGeneration,
    ProjectorEnsemble,
)
from residua.distil.compare.seen import Seen, choose_features, count_channels, pair_features
from residua.train.recipe.distil import DistilPart
from residua.train.update.learner import Place

# (student, teacher, targets float [N, classes]) → float32 [N]
_OfLogits = Callable[[Tensor, Tensor, Tensor], Tensor]


class Criterion(nn.Module):
    """What a method compares. ``student_names`` and ``teacher_names`` are features it wants."""

    student_names: tuple[str, ...] = ()
    teacher_names: tuple[str, ...] = ()

    def forward(self, student: Seen, teacher: Seen, targets: Tensor, place: Place) -> Tensor:
        """Return float32 [N]; ``targets`` are float [N, classes], a row without a label zeros."""
        raise NotImplementedError


class OfLogits(Criterion):
    """A loss between answers."""

    def __init__(self, loss: _OfLogits) -> None:
        """``loss`` takes the logits of both, and the targets."""
        super().__init__()
        self._loss = loss

    def forward(self, student: Seen, teacher: Seen, targets: Tensor, place: Place) -> Tensor:  # noqa: ARG002
        """Return float32 [N]."""
        return self._loss(student.logits, teacher.logits, targets)


class OfFeatures(Criterion):
    """The mean over pairs of features of what a module for each says of them."""

    def __init__(
        self, pairs: list[tuple[str, str]], modules: list[nn.Module], *, draws: bool = False
    ) -> None:
        """``draws``: the modules want random numbers too, one for each channel of the teacher."""
        super().__init__()
        self.student_names = tuple(name for name, _ in pairs)
        self.teacher_names = tuple(name for _, name in pairs)
        self.modules_of_pairs = nn.ModuleList(modules)
        self._draws = draws

    def forward(self, student: Seen, teacher: Seen, targets: Tensor, place: Place) -> Tensor:  # noqa: ARG002
        """Return float32 [N]."""
        found = []
        pairs = zip(self.student_names, self.teacher_names, self.modules_of_pairs, strict=True)
        for number, (ours, theirs, compare) in enumerate(pairs):
            features = [_spread(student[ours], compare), _spread(teacher[theirs], compare)]
            if self._draws:
                features.append(draw(features[1], place, number))
            found.append(compare(*features))
        return torch.stack(found).mean(0)


def _spread(feature: Tensor, compare: nn.Module) -> Tensor:
    """Return a pooled feature as one of a single pixel, but for what takes it as it is."""
    alone = feature.ndim == 2 and not isinstance(compare, ProjectorEnsemble)
    return feature[:, :, None, None] if alone else feature


class OfAttention(Criterion):
    """AFD: all features of the one against all of the other."""

    def __init__(self, student: dict[str, int], teacher: dict[str, int], *, width: int) -> None:
        """Names and channels of the features."""
        super().__init__()
        self.student_names, self.teacher_names = tuple(student), tuple(teacher)
        self.transfer = AttentionTransfer(
            list(student.values()), list(teacher.values()), width=width
        )

    def forward(self, student: Seen, teacher: Seen, targets: Tensor, place: Place) -> Tensor:  # noqa: ARG002
        """Return float32 [N]."""
        found: Tensor = self.transfer(
            [student[name] for name in self.student_names],
            [teacher[name] for name in self.teacher_names],
        )
        return found


class OfPairs(Criterion):
    """RKD: how the rows lie to each other, before the classifier."""

    student_names = teacher_names = ("pooled",)

    def __init__(self, part: DistilPart) -> None:
        """Weights of distances and angles are the recipe's."""
        super().__init__()
        self._part = part

    def forward(self, student: Seen, teacher: Seen, targets: Tensor, place: Place) -> Tensor:  # noqa: ARG002
        """Return float32 [N], one value for all."""
        return losses.relational(
            student["pooled"], teacher["pooled"],
            distance=self._part.distance, angle=self._part.angle,
        )  # fmt: skip


def draw(feature: Tensor, place: Place, number: int) -> Tensor:
    """Return numbers in 0…1 for every channel of every row, whoever computes it: float32 [N, C]."""
    rows, channels = feature.shape[:2]
    # A row's key holds its update and which pair this is: no batch has 2^24 rows.
    first = (np.int64(place.step) << 32) + (np.int64(number) << 24) + place.first_row
    numbers = fractions(
        Purpose.HIDDEN_CHANNELS, seed=place.seed, epoch=place.epoch,
        indices=first + np.arange(rows, dtype=np.int64), count=channels,
    )  # fmt: skip
    return torch.from_numpy(numbers).to(feature.device, non_blocking=True)


def make_criterion(
    part: DistilPart, student: Architecture, teacher: Architecture | None
) -> Criterion:
    """Return what ``part.method`` compares between networks of these rows.

    Raises SettingError where it compares features and the teacher (None: of a graph) has none.
    """
    if part.method in _OF_LOGITS:
        return OfLogits(_OF_LOGITS[part.method](part))
    if teacher is None:
        raise SettingError(
            f"{part.method} compares features, and an .onnx teacher has answers only.",
            next_step="Choose a method of answers: ssld, kd, dkd, dist, skd or wsl.",
        )
    if part.method == "rkd":
        return OfPairs(part)
    ours = choose_features(part, student, part.student_features)
    theirs = choose_features(part, teacher, part.teacher_features)
    if part.method == "afd":
        return OfAttention(
            {name: count_channels(student, name) for name in ours},
            {name: count_channels(teacher, name) for name in theirs},
            width=part.width,
        )
    pairs = pair_features(part, ours, theirs)
    channels = [(count_channels(student, a), count_channels(teacher, b)) for a, b in pairs]
    modules: list[nn.Module]
    match part.method:
        case "mgd":
            modules = [MaskedGeneration(a, b, hidden=part.hidden) for a, b in channels]
        case "pefd":
            modules = [ProjectorEnsemble(a, b, projectors=part.projectors) for a, b in channels]
        case _:
            modules = [Likeness(a, b, part.likeness) for a, b in channels]
    return OfFeatures(pairs, modules, draws=part.method == "mgd")


def _symmetric(_: DistilPart) -> _OfLogits:
    return lambda s, t, _: losses.symmetric_kl(s, t)


_OF_LOGITS: dict[str, Callable[[DistilPart], _OfLogits]] = {
    "ssld": _symmetric,
    "dml": _symmetric,
    "kd": lambda part: lambda s, t, _: losses.kl(s, t, temperature=part.temperature),
    "dkd": lambda part: (
        lambda s, t, y: losses.decoupled(
            s, t, y, temperature=part.temperature, alpha=part.alpha, beta=part.beta
        )
    ),
    "dist": lambda part: (
        lambda s, t, _: losses.correlated(
            s, t, temperature=part.temperature, beta=part.beta, gamma=part.gamma
        )
    ),
    "wsl": lambda part: lambda s, t, y: losses.weighted_soft(s, t, y, temperature=part.temperature),
    "skd": lambda part: (
        lambda s, t, y: losses.standardised(
            s, t, y, temperature=part.temperature, multiplier=part.multiplier, alpha=part.alpha
        )
    ),
}
