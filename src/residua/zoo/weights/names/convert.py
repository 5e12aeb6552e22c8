"""A weight file's tensors turned into those of one of our networks, exactly or not at all."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from residua.base.errors import WeightsMismatchError
from residua.bundle.schema import Architecture
from residua.zoo.block import EXPANSION
from residua.zoo.resnet import ResNet
from residua.zoo.weights.names.program import computed_differences
from residua.zoo.weights.names.recognise import Recognised, recognise
from residua.zoo.weights.program.record import Program

_PROJECTION = "stages.0.0.shortcut"
_NORM_EPS = 1e-5
_HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True, slots=True)
class Converted:
    """The tensors of ``row`` in our names, float32, and how they were come by.

    ``row`` has the number of classes and input channels of the file. ``notes`` are sentences for
    the user: what was added or left out. ``multi_label``: the file's program judges each class by
    itself.
    """

    tensors: dict[str, np.ndarray]
    naming: str
    row: Architecture
    notes: tuple[str, ...]
    multi_label: bool = False


def convert(
    tensors: Mapping[str, np.ndarray],
    row: Architecture,
    *,
    head: Literal["keep", "new"] = "keep",
    program: Program | None = None,
) -> Converted:
    """Return the tensors of a weight file as those of ``row``.

    ``program`` is the exported program that computes with them, if the file holds one: it then
    decides what each is, and must compute what the row's network does. ``num_classes`` and
    ``input_channels`` are taken from the file; everything else of the row must agree with it. With
    ``head="new"`` the classifier is left out (the result has no ``head.*``) and the row keeps its
    ``num_classes``.

    Raises WeightsMismatchError with a line for each tensor that is missing, unexpected or of
    another shape, and WeightsError for names of no known kind.
    """
    found = recognise(tensors, program)
    row = fit_row(row, found, head=head)
    notes: list[str] = []
    arrays = dict(found.tensors)
    if head == "new":
        for name in _HEAD:
            arrays.pop(name, None)
        notes.append("The classifier of the file was left out; the network gets a new one.")
    if lacks_projection(row, found):
        arrays |= _identity_projection(row)
        notes.append(
            "The file's first block has no projection in its shortcut, the row's has: an identity "
            "was put there, exact to the last bit in float32."
        )
    if differences := list(_differences(arrays, row, found, head=head)):
        raise WeightsMismatchError(
            f"These weights ({found.named.scheme}) do not fit {row.name}: "
            f"tensors that differ: {len(differences)}.",
            differences,
            next_step="If they are another network's, name it with --model"
            + ("." if head == "new" else "; to take all but the classifier, add --head new."),
        )
    return Converted(
        tensors={name: np.ascontiguousarray(arrays[name], np.float32) for name in arrays},
        naming=found.named.scheme,
        row=row,
        notes=tuple(notes),
        multi_label=found.named.multi_label,
    )


def fit_row(
    row: Architecture, found: Recognised, *, head: Literal["keep", "new"] = "keep"
) -> Architecture:
    """Return ``row`` with the number of input channels and classes that the file has."""
    shapes, update = found.shapes, {}
    stem, classifier = shapes.get("stem.0.conv.weight", ()), shapes.get("head.weight", ())
    if len(stem) == 4 and stem[1] > 0:
        update["input_channels"] = stem[1]
    if len(classifier) == 2 and classifier[0] > 0 and head == "keep":
        update["num_classes"] = classifier[0]
    return row.model_copy(update=update)


@functools.lru_cache(maxsize=128)
def expected_shapes(row: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the row's network, the counters left out."""
    with torch.device("meta"):
        state = ResNet(row).state_dict()
    return {
        name: tuple(tensor.shape)
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


def lacks_projection(row: Architecture, found: Recognised) -> bool:
    """Tell whether the file's first block has an identity where the row has a projection.

    So it is in torchvision's and timm's ResNet18 and 34: there a shortcut has a projection only
    where the shape changes.
    """
    return (
        found.named.may_lack_projection
        and row.first_projection
        and row.stem_widths[-1] == row.widths[0] * EXPANSION[row.block]
        and not any(name.startswith(_PROJECTION) for name in found.tensors)
    )


def _identity_projection(row: Architecture) -> dict[str, np.ndarray]:
    """A projection that gives its input back, bit for bit, in eval mode and float32.

    The sum of a 1x1 convolution has one term that is not zero. The normalisation divides by
    sqrt(variance + eps): with the float32 nearest to 1 - eps that sum rounds to 1 in float32, and
    1 / sqrt of it rounds to 1 also where it is computed in float64.
    """
    width = row.widths[0] * EXPANSION[row.block]
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    return {
        f"{_PROJECTION}.conv.weight": np.eye(width, dtype=np.float32)[:, :, None, None],
        f"{_PROJECTION}.norm.weight": ones,
        f"{_PROJECTION}.norm.bias": zeros,
        f"{_PROJECTION}.norm.running_mean": zeros,
        f"{_PROJECTION}.norm.running_var": np.full(width, 1 - _NORM_EPS, np.float32),
    }


def _differences(
    arrays: Mapping[str, np.ndarray],
    row: Architecture,
    found: Recognised,
    *,
    head: Literal["keep", "new"],
) -> list[str]:
    """One line a difference: missing tensors, unexpected ones, other shapes, unusable values."""
    expected = dict(expected_shapes(row))
    if head == "new":
        expected = {name: shape for name, shape in expected.items() if name not in _HEAD}
    source = found.sources
    lines = [
        f"missing     {name}  {list(shape)}"
        for name, shape in expected.items()
        if name not in arrays
    ]
    lines += [f"unexpected  {name}" for name in found.unknown]
    lines += [
        f"unexpected  {source[name]}  {list(array.shape)}"
        for name, array in arrays.items()
        if name not in expected
    ]
    lines += [
        f"shape       {source.get(name, name)}  is {list(arrays[name].shape)}, "
        f"{row.name} has {list(shape)}"
        for name, shape in expected.items()
        if name in arrays and arrays[name].shape != shape
    ]
    lines += _shortcut_difference(row, found)
    lines += computed_differences(found.named, row)
    if not lines:
        lines = [f"values      {source.get(name, name)}  {problem}"
                 for name, array in arrays.items() if (problem := _bad_values(array))]  # fmt: skip
    return lines


def _shortcut_difference(row: Architecture, found: Recognised) -> list[str]:
    """Vc and vd have the same shapes; where the names tell them apart, they must agree."""
    average = found.named.average
    if average is None or average == (row.shortcut == "average"):
        return []
    does = "pools before" if average else "strides in"
    return [f"shortcut    the file {does} its projections, {row.name} does not"]


def _bad_values(array: np.ndarray) -> str:
    if not np.issubdtype(array.dtype, np.floating):
        return f"is of type {array.dtype}, not a float"
    # The sum is finite unless one of the values is not, and needs no second array.
    return "" if math.isfinite(float(array.sum(dtype=np.float64))) else "is not finite"
