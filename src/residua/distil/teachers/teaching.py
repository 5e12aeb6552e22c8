"""The student's pictures as a teacher is used to seeing them: another mean, another size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.bundle.schema import Architecture, Preprocess
from residua.distil.compare.seen import Seen


class Teaching(nn.Module):
    """What is asked of a teacher. It is frozen, and shown the student's pictures."""

    row: Architecture | None = None  # of its network; None of one that is not residua's

    def observe(self, pictures: Tensor, names: Sequence[str] = ()) -> Seen:
        """Return logits of the student's classes, float32, and features by name; no gradient.

        ``pictures`` are normalised for the student, float32 [N, C, H, W].
        """
        raise NotImplementedError

    def __deepcopy__(self, memo: object) -> "Teaching":
        """Return itself: a copy of a learner that is tried out has the same frozen teacher."""
        return self

    def train(self, mode: bool = True) -> "Teaching":  # noqa: ARG002  # it is never trained
        """Leave everything as it is."""
        return self


class Translator(Teaching):
    """A teacher whose preprocessing may differ from the student's."""

    def __init__(self, given: Preprocess, seen: Preprocess) -> None:
        """``given`` is what the teacher was trained with, ``seen`` what the student's pictures are.

        Where both are used to the same size the teacher takes the student's crops as they come,
        also those that training makes smaller or larger; else they are resized to its own.
        """
        super().__init__()
        self._side = given.crop_size if given.crop_size != seen.crop_size else None
        self._same = given.mean == seen.mean and given.std == seen.std
        scale = [s / t for s, t in zip(seen.std, given.std, strict=True)]
        shift = [(s - t) / d for s, t, d in zip(seen.mean, given.mean, given.std, strict=True)]
        self.scale: Tensor
        self.shift: Tensor
        shape = (1, len(scale), 1, 1)
        self.register_buffer("scale", torch.tensor(scale).view(shape), persistent=False)
        self.register_buffer("shift", torch.tensor(shift).view(shape), persistent=False)

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
