"""What a network learns by: pictures and targets in, the loss of each row out.

The step knows nothing more of a learner than this. ``Supervised`` compares the network's answers
with the labels; ``residua.distil`` brings learners that ask a teacher.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from residua.bundle.schema import Classes, Preprocess
from residua.train.update.losses import RowLoss
from residua.train.update.precision import Precision
from residua.zoo.resnet import ResNet


@dataclass(frozen=True, slots=True)
class Place:
    """Which rows of a run are computed: a learner's random draws depend on nothing else."""

    seed: int
    epoch: int
    step: int
    first_row: int  # of the whole batch


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner is made for.

    ``loss`` is that of the labels, ``preprocess`` how the training pictures are made.
    """

    network: ResNet
    loss: RowLoss
    precision: Precision
    preprocess: Preprocess
    classes: Classes


LearnerMaker = Callable[[Lesson], "Learner"]


class Learner(nn.Module):
    """A network with all that it is trained by.

    ``companions`` are modules that are trained beside the network, at the recipe's rate, saved with
    the run, and thrown away at its end; there are none here.
    """

    def __init__(self, network: ResNet, precision: Precision) -> None:
        """``network`` is the one that the bundle will hold."""
        super().__init__()
        self.network = network
        self.precision = precision
        self.companions: nn.Module = nn.ModuleDict()

    def forward(self, pictures: Tensor, targets: Tensor, place: Place) -> Tensor:
        """Return the loss of each row, float32 [N].

        ``pictures`` are normalised, float32 [N, C, H, W]; ``targets`` int64 [N] or float
        [N, classes], as the losses take them.
        """
        raise NotImplementedError

    def answer(self, pictures: Tensor) -> Tensor:
        """Return the network's logits [N, classes], computed in the run's precision."""
        logits: Tensor
        with self.precision.computing():
            logits = self.network(pictures)
        return logits


class Supervised(Learner):
    """A network that learns from labels."""

    def __init__(self, network: ResNet, loss: RowLoss, precision: Precision) -> None:
        """``loss`` compares its logits with the targets."""
        super().__init__(network, precision)
        self._loss = loss

    def forward(self, pictures: Tensor, targets: Tensor, place: Place) -> Tensor:  # noqa: ARG002  # it draws nothing
        """Return the loss of each row, float32 [N]."""
        return self._loss(self.answer(pictures), targets)


def learn_from_labels(lesson: Lesson) -> Learner:
    """Return the learner of plain training."""
    return Supervised(lesson.network, lesson.loss, lesson.precision)
