"""A teacher: a frozen network that sees what the student sees, as it is used to seeing it."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.base.errors import SettingError
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes, Preprocess
from residua.bundle.store import Bundle
from residua.train.update.precision import Precision
from residua.zoo.load import make_network
from residua.zoo.resnet import ResNet

Statistics = Literal["running", "batch"]


class Teacher(nn.Module):
    """Student's pictures → the teacher's logits of the student's classes. Nothing in it changes.

    ``statistics`` says what its normalisations use: "running", as for predictions, or those of the
    "batch", as PaddleClas leaves its SSLD teachers (76.00 against 75.84 % there); the running ones
    are not touched by that either.
    """

    def __init__(
        self, network: ResNet, given: Preprocess, seen: Preprocess, columns: tuple[int, ...],
        *, precision: Precision, statistics: Statistics = "running",
    ) -> None:  # fmt: skip
        """``given`` is what the teacher was trained with, ``seen`` what the student's pictures are.

        ``columns`` are the student's classes among the teacher's.
        """
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)
        self._precision = precision
        self._side = given.crop_size if given.crop_size != seen.crop_size else None
        self.scale: Tensor
        self.shift: Tensor
        self.columns: Tensor
        scale = [s / t for s, t in zip(seen.std, given.std, strict=True)]
        shift = [(s - t) / d for s, t, d in zip(seen.mean, given.mean, given.std, strict=True)]
        shape = (1, len(scale), 1, 1)
        self._same = given.mean == seen.mean and given.std == seen.std
        self.register_buffer("scale", torch.tensor(scale).view(shape), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(shape), persistent=False)
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self._whole = columns == tuple(range(network.row.num_classes))
        _fix_statistics(network, statistics)

    def train(self, mode: bool = True) -> "Teacher":  # noqa: ARG002  # it is never trained
        """Leave everything as it is."""
        return self

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits, float32 [N, classes of the student], without a gradient.

        ``pictures`` are normalised for the student, float32 [N, C, H, W]; where the teacher is used
        to another mean or size, they are brought to it.
        """
        logits: Tensor
        with self._precision.computing():
            logits = self.network(self.translate(pictures))
        return logits.float() if self._whole else logits.float()[:, self.columns]

    def translate(self, pictures: Tensor) -> Tensor:
        """Return ``pictures`` of the student as the teacher is used to seeing them."""
        if not self._same:
            pictures = pictures * self.scale + self.shift
        if self._side is not None and self._side != pictures.shape[-1]:
            size = (self._side, self._side)
            pictures = functional.interpolate(
                pictures, size, mode="bilinear", align_corners=False, antialias=True
            )
        return pictures


def make_teacher(
    bundle: Bundle, classes: Classes, seen: Preprocess,
    *, precision: Precision, statistics: Statistics = "running",
) -> Teacher:  # fmt: skip
    """Return the teacher of a bundle for a student of ``classes``, on the precision's device.

    Raises SettingError where the teacher does not know all of them, by name.
    """
    manifest = bundle.manifest
    matched = match_classes(manifest.classes, classes)
    missing = [n for n, at in zip(classes.names, matched, strict=True) if at is None]
    if missing:
        raise SettingError(
            f"The teacher does not know {len(missing)} of the student's {len(classes)} classes: "
            f"{', '.join(missing[:5])}{'…' if len(missing) > 5 else ''}.",
            next_step="Fine-tune the teacher on these data first: "
            f"residua train DATA --pretrained {bundle.path} --output teacher.bundle",
        )
    columns = tuple(at for at in matched if at is not None)
    network = make_network(manifest.architecture, bundle.tensors())
    teacher = Teacher(
        network, manifest.preprocess, seen, columns, precision=precision, statistics=statistics
    )
    return teacher.to(precision.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _fix_statistics(network: ResNet, statistics: Statistics) -> None:
    network.eval()
    if statistics == "running":
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            # Momentum 0 keeps the running statistics while those of the batch are used.
            module.momentum = 0.0
