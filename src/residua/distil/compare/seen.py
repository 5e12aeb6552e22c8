"""What a network says of pictures, and what was seen on the way: the two sides of every loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Architecture
from residua.train.recipe.distil import DistilPart
from residua.zoo.block import EXPANSION
from residua.zoo.resnet import list_features

_OF_ONE_PLACE = ("feature", "mgd", "udml")


@dataclass(frozen=True, slots=True)
class Seen:
    """Logits [N, classes], and features by name: [N, C, H, W], of "pooled" [N, C]."""

    logits: Tensor
    features: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        """Return a feature."""
        return self.features[name]


def choose_features(part: DistilPart, row: Architecture, given: Sequence[str]) -> tuple[str, ...]:
    """Return which features of the network of ``row`` the method compares.

    ``given`` are those that the recipe names; without any it is the last stage, of afd every block,
    of rkd and pefd what goes into the classifier. Raises UnknownNameError, SettingError.
    """
    if part.method in {"rkd", "pefd"}:
        return ("pooled",)
    if part.method not in {*_OF_ONE_PLACE, "afd"}:
        return ()
    if given:
        return tuple(_check(part, row, name) for name in given)
    if part.method == "afd":
        return tuple(
            f"stage{number}.{block}"
            for number, depth in enumerate(row.depths, 1)
            for block in range(depth)
        )
    return (f"stage{len(row.depths)}",)


def _check(part: DistilPart, row: Architecture, name: str) -> str:
    known = list_features(row)
    if name == "pooled" and part.method == "afd":
        raise SettingError(
            "afd compares where in a picture features are, and pooled ones are nowhere.",
            next_step=f"Name some of: {', '.join(known[:-1])}.",
        )
    if name not in known:
        raise UnknownNameError("feature", name, known)
    return name


def pair_features(
    part: DistilPart, student: Sequence[str], teacher: Sequence[str]
) -> list[tuple[str, str]]:
    """Return which feature is compared with which. Raises SettingError where one has no other."""
    if len(student) != len(teacher):
        raise SettingError(
            f"{part.method} compares {len(student)} of the student's features with {len(teacher)} "
            "of the teacher's.",
            next_step="Name as many in distil.student_features as in distil.teacher_features.",
        )
    return list(zip(student, teacher, strict=True))


def count_channels(row: Architecture, name: str) -> int:
    """Return the channels of a feature of the network of ``row``."""
    if name == "stem":
        return row.stem_widths[-1]
    if name == "pooled":
        return row.widths[-1] * EXPANSION[row.block]
    number = int(name.removeprefix("stage").partition(".")[0])
    return row.widths[number - 1] * EXPANSION[row.block]
