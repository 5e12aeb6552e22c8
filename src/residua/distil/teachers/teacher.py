"""A teacher: a frozen network that sees what the student sees, as it is used to seeing it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from residua.base.errors import SettingError
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes, Preprocess
from residua.bundle.store import Bundle
from residua.distil.compare.seen import Seen
from residua.distil.teachers.teaching import Teaching, Translator
from residua.train.recipe.distil import DistilPart
from residua.train.update.precision import Precision, choose_precision
from residua.zoo.load import make_network
from residua.zoo.resnet import ResNet
from residua.zoo.weights.resolve import open_bundle

Statistics = Literal["running", "batch"]


class Teacher(Translator):
    """A network of residua as a teacher. Nothing in it changes.

    ``statistics`` says what its normalisations use: "running", as for predictions, or those of the
    "batch", as PaddleClas leaves its SSLD teachers (76.00 against 75.84 % there); the running ones
    are not touched by that either.
    """

    def __init__(
        self, network: ResNet, given: Preprocess, seen: Preprocess, columns: tuple[int, ...],
        *, precision: Precision, statistics: Statistics = "running",
    ) -> None:  # fmt: skip
        """``given`` and ``seen`` are as in ``Translator``.

        ``columns`` are the student's classes among the teacher's.
        """
        super().__init__(given, seen)
        self.row = network.row
        self.network = network.requires_grad_(requires_grad=False)
        self._precision = precision
        self.columns: Tensor
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self._whole = columns == tuple(range(network.row.num_classes))
        _fix_statistics(network, statistics)

    @torch.no_grad()
    def observe(self, pictures: Tensor, names: Sequence[str] = ()) -> Seen:
        """Return logits, float32 [N, classes of the student], and features; no gradient.

        ``pictures`` are normalised for the student, float32 [N, C, H, W]; where the teacher is used
        to another mean or size, they are brought to it.
        """
        with self._precision.computing():
            logits, features = self.network.observe(self.translate(pictures), names)
        logits = logits.float()
        return Seen(logits if self._whole else logits[:, self.columns], features)


def open_teacher(
    source: str, part: DistilPart, classes: Classes, seen: Preprocess, precision: Precision
) -> Teaching:
    """Return the teacher at ``source``: a bundle, a name of the zoo, a weight file or .onnx.

    ``seen`` is how the pictures of the student, of ``classes``, are made; ``precision`` the
    student's. Raises what opening a bundle raises, SettingError where it knows not all classes.
    """
    if is_onnx(source):
        from residua.distil.teachers.foreign import OnnxTeacher

        if part.statistics != "running" or part.precision not in {"same", "fp32"}:
            raise SettingError(
                "An .onnx teacher answers as its file says: in float32, by its own statistics.",
                next_step="Leave --teacher-norms and --teacher-precision out, or give a bundle.",
            )
        return OnnxTeacher(Path(source), len(classes), seen)
    if part.precision != "same":
        precision = choose_precision(part.precision, precision.device)
    return make_teacher(
        open_bundle(source), classes, seen, precision=precision, statistics=part.statistics
    )


def is_onnx(source: str) -> bool:
    """Tell whether a teacher is a file of another framework."""
    return Path(source).suffix.lower() == ".onnx"


def refuse_several_labels(bundle: Bundle) -> None:
    """Refuse a teacher whose answers are no distribution. Raises SettingError."""
    if bundle.manifest.task == "multi-label":
        raise SettingError(
            f"{bundle.path} answers for each class by itself (multi-label).",
            next_step="Give a teacher of pictures that have one class each.",
        )


def make_teacher(
    bundle: Bundle, classes: Classes, seen: Preprocess,
    *, precision: Precision, statistics: Statistics = "running",
) -> Teacher:  # fmt: skip
    """Return the teacher of a bundle for a student of ``classes``, on the precision's device.

    Raises SettingError where the teacher does not know all of them, by name.
    """
    manifest = bundle.manifest
    refuse_several_labels(bundle)
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
