"""Losses between features: of a student's stages and a teacher's, or of their pooled vectors.

Each is a module, since it has weights of its own that are trained beside the student and thrown
away at the end. Called with features of both, float [N, C, H, W] or pooled [N, C]; the teacher's
carry no gradient. Gives the loss of each row, float32 [N].
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.distil.compare.losses import widen


class Adapter(nn.Module):
    """Brings a student's feature to a teacher's channels (1x1 convolution) and size (averages)."""

    def __init__(self, student: int, teacher: int) -> None:
        """``student`` and ``teacher`` are numbers of channels; equal ones need no weights."""
        super().__init__()
        self.project: nn.Module = nn.Identity()
        if student != teacher:
            self.project = nn.Conv2d(student, teacher, 1, bias=False)
            nn.init.kaiming_normal_(self.project.weight, mode="fan_in", nonlinearity="linear")

    def forward(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Return both with the same shape, the smaller of the two sizes."""
        projected: Tensor = self.project(student)
        size = min(projected.shape[-2:], teacher.shape[-2:])
        return widen(_pool_to(projected, size)), widen(_pool_to(teacher, size))


class Likeness(nn.Module):
    """How far two features of one place are apart, the student's brought to the teacher's form.

    "l2" is the mean squared difference (FitNets, arXiv 1412.6550, equation 3), "cosine" one minus
    the cosine, each feature taken as one long vector.
    """

    def __init__(self, student: int, teacher: int, kind: Literal["l2", "cosine"]) -> None:
        """Numbers of channels."""
        super().__init__()
        self.adapter = Adapter(student, teacher)
        self._kind = kind

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return [N]."""
        ours, theirs = self.adapter(student, teacher)
        if self._kind == "l2":
            return _mean_square(ours, theirs)
        return 1 - functional.cosine_similarity(ours.flatten(1), theirs.flatten(1), dim=1)


class MaskedGeneration(nn.Module):
    """MGD: the teacher's feature made from the student's, some channels of which are hidden.

    arXiv 2205.01529, section 3.1, in its form for classification: channels are hidden at random,
    two 3x3 convolutions follow, and the mean squared difference counts.
    """

    def __init__(self, student: int, teacher: int, *, hidden: float) -> None:
        """``hidden`` is the chance of a channel (published: 0.15)."""
        super().__init__()
        self.adapter = Adapter(student, teacher)
        self.hidden = hidden
        self.generate = nn.Sequential(
            nn.Conv2d(teacher, teacher, 3, padding=1), nn.ReLU(),
            nn.Conv2d(teacher, teacher, 3, padding=1),
        )  # fmt: skip

    def forward(self, student: Tensor, teacher: Tensor, draws: Tensor) -> Tensor:
        """Return [N]; ``draws`` are numbers in 0…1, float [N, channels of the teacher]."""
        ours, theirs = self.adapter(student, teacher)
        kept = (draws >= self.hidden).to(ours.dtype)[:, :, None, None]
        made = self.generate(ours * kept)
        return _mean_square(widen(made), theirs)


class ProjectorEnsemble(nn.Module):
    """PEFD: the mean of several projections of the student's pooled feature, by its direction.

    arXiv 2210.15274, equations 6 and 7: each projector is a linear layer and a ReLU.
    """

    def __init__(self, student: int, teacher: int, *, projectors: int) -> None:
        """Lengths of the pooled features, and how many ``projectors`` there are (published: 3)."""
        super().__init__()
        self.projectors = nn.ModuleList(nn.Linear(student, teacher) for _ in range(projectors))

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return one minus the cosine of the mean projection and the teacher: [N]."""
        projected = torch.stack([project(student).relu() for project in self.projectors])
        return 1 - functional.cosine_similarity(widen(projected.mean(0)), widen(teacher), dim=1)


class AttentionTransfer(nn.Module):
    """AFD: every feature of the teacher against a mixture of the student's, learnt by attention.

    arXiv 2102.02973, equations 4 to 8, as PaddleClas computes it: queries are of the teacher's
    pooled features, keys of the student's, with learnt positions of both; compared are maps of
    energy (the mean square over the channels, of unit length) at the smaller size of each pair.
    """

    def __init__(self, student: list[int], teacher: list[int], *, width: int) -> None:
        """Channels of the features of both, and the ``width`` of queries (published: 128)."""
        super().__init__()
        self.queries = nn.ModuleList(nn.Linear(channels, width) for channels in teacher)
        self.keys = nn.ModuleList(nn.Linear(channels, width) for channels in student)
        self.mix = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in teacher)
        self.place_t = nn.Parameter(torch.empty(len(teacher), width))
        self.place_s = nn.Parameter(torch.empty(len(student), width))
        for place in (self.place_t, self.place_s):
            nn.init.xavier_normal_(place)

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        """Return the sum over the teacher's features of the attended differences: [N]."""
        keys = torch.stack([key(_pooled(x)) for key, x in zip(self.keys, student, strict=True)], 1)
        total = widen(keys).new_zeros(len(keys))
        for index, theirs in enumerate(teacher):
            query = self.mix[index](self.queries[index](_pooled(theirs)))
            scores = torch.einsum("nsd,nd->ns", keys, query) + self.place_s @ self.place_t[index]
            attention = (widen(scores) / keys.shape[-1] ** 0.5).softmax(1)
            differences = [_compare_energy(ours, theirs) for ours in student]
            total = total + (attention * torch.stack(differences, 1)).sum(1)
        return total


def _mean_square(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours - theirs).square().flatten(1).mean(1)


def _compare_energy(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of the energies' unit vectors: [N]."""
    size = min(student.shape[-2:], teacher.shape[-2:])
    ours, theirs = (
        functional.normalize(widen(_pool_to(x, size)).square().mean(1).flatten(1))
        for x in (student, teacher)
    )
    return (ours - theirs).square().mean(1)


def _pooled(feature: Tensor) -> Tensor:
    return feature if feature.ndim == 2 else feature.mean((2, 3))


def _pool_to(feature: Tensor, size: torch.Size) -> Tensor:
    if feature.shape[-2:] == size:
        return feature
    return functional.adaptive_avg_pool2d(feature, (size[0], size[1]))
