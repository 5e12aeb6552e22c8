"""Learners that ask a teacher: the student's loss is how far its answers are from the teacher's.

``Distilling`` has a frozen teacher. Of ``Mutual`` the other network learns too (DML, arXiv
1706.00384): it is a companion of the run and thrown away at its end.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from residua.data.augment.mix import one_hot
from residua.distil.compare import losses
from residua.distil.compare.criteria import Criterion
from residua.distil.compare.seen import Seen
from residua.distil.teachers.teaching import Teaching
from residua.train.recipe.distil import DistilPart
from residua.train.update.learner import Learner, Place
from residua.train.update.losses import RowLoss
from residua.train.update.precision import Precision
from residua.zoo.resnet import ResNet


class Distilling(Learner):
    """A student with a frozen teacher."""

    def __init__(
        self, network: ResNet, loss: RowLoss, precision: Precision,
        *, teacher: Teaching, criterion: Criterion, part: DistilPart,
    ) -> None:  # fmt: skip
        """``loss`` is that of the labels; ``part`` has the weights of all three."""
        super().__init__(network, precision)
        self.teacher = teacher
        self.companions = criterion
        self._criterion, self._loss, self._part = criterion, loss, part

    def forward(self, pictures: Tensor, targets: Tensor, place: Place) -> Tensor:
        """Return the loss of each row, float32 [N]; a label of -1 is none."""
        taught = self.teacher.observe(pictures, self._criterion.teacher_names)
        seen = observe(self.network, pictures, self._criterion.student_names, self.precision)
        rows = spread(targets, seen.logits.shape[1])
        part = self._part
        total = part.weight * compare(self._criterion, seen, taught, rows, place, self.precision)
        if part.soft_weight:
            soft = losses.kl(seen.logits, taught.logits, temperature=part.temperature)
            total = total + part.soft_weight * soft
        if part.label_weight:
            total = total + part.label_weight * lose_labels(self._loss, seen.logits, rows)
        return total


class Mutual(Learner):
    """Two networks that learn from the labels and from each other, each row's losses added up."""

    def __init__(
        self, network: ResNet, loss: RowLoss, precision: Precision,
        *, peer: ResNet, criterion: Criterion, part: DistilPart,
    ) -> None:  # fmt: skip
        """``criterion`` compares features (UDML); without any (DML) answers alone are compared."""
        super().__init__(network, precision)
        self.companions = nn.ModuleDict({"peer": peer, "criterion": criterion})
        self._peer, self._criterion, self._loss, self._part = peer, criterion, loss, part

    def forward(self, pictures: Tensor, targets: Tensor, place: Place) -> Tensor:
        """Return the loss of each row, float32 [N]; a label of -1 is none."""
        part, criterion = self._part, self._criterion
        ours = observe(self.network, pictures, criterion.student_names, self.precision)
        theirs = observe(self._peer, pictures, criterion.teacher_names, self.precision)
        rows = spread(targets, ours.logits.shape[1])
        total = part.weight * compare(criterion, ours, theirs, rows, place, self.precision)
        if part.method == "udml":  # features besides the answers
            total = total + part.weight * losses.symmetric_kl(ours.logits, theirs.logits)
        if part.label_weight:
            both = [lose_labels(self._loss, seen.logits, rows) for seen in (ours, theirs)]
            total = total + part.label_weight * (both[0] + both[1])
        return total


def observe(
    network: ResNet, pictures: Tensor, names: tuple[str, ...], precision: Precision
) -> Seen:
    """Return what ``network`` sees, computed in the run's precision."""
    with precision.computing():
        if not names:  # as it was compiled, if it was
            return Seen(network(pictures), {})
        return Seen(*network.observe(pictures, names))


def compare(
    criterion: Criterion, student: Seen, teacher: Seen, rows: Tensor, place: Place,
    precision: Precision,
) -> Tensor:  # fmt: skip
    """Return the criterion's loss of each row; its weights compute as the networks do."""
    learns = next(criterion.parameters(), None) is not None
    with precision.computing() if learns else nullcontext():
        found: Tensor = criterion(student, teacher, rows, place)
    return found


def spread(targets: Tensor, classes: int) -> Tensor:
    """Return targets as rows: float [N, classes]; a label of -1 becomes zeros."""
    if targets.ndim == 2:
        return targets
    return one_hot(targets, classes)


def lose_labels(loss: RowLoss, logits: Tensor, rows: Tensor) -> Tensor:
    """Return the loss of the labels of each row; 0 where there is none."""
    return torch.where(rows.sum(1) > 0, loss(logits, rows), 0.0)
