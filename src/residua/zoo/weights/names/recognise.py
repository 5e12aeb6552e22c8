"""Which naming scheme a file follows, and its tensors under our names and in our layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from residua.base.errors import WeightsError, WeightsMismatchError
from residua.zoo.weights.names.generated import name_generated
from residua.zoo.weights.names.naming import Named, Shapes, name_own
from residua.zoo.weights.names.paddle import name_paddle
from residua.zoo.weights.names.program import name_program
from residua.zoo.weights.names.static import name_static
from residua.zoo.weights.names.torchvision import foreign_topology, name_torch
from residua.zoo.weights.program.record import Program, ProgramError

_SCHEMES: tuple[Callable[[Shapes], Named], ...] = (
    name_own,
    name_torch,
    name_paddle,
    name_static,
    name_generated,
)
# What files hold beside the network: training counters, of no use afterwards.
_COUNTERS = ("num_batches_tracked",)


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file's tensors under our names, matrices as [outputs, inputs].

    ``sources`` gives the file's own name of each; ``unknown`` are the names that the scheme does
    not know.
    """

    named: Named
    tensors: dict[str, np.ndarray]
    sources: dict[str, str]
    unknown: tuple[str, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, under our names."""
        return {name: array.shape for name, array in self.tensors.items()}


def recognise(tensors: Mapping[str, np.ndarray], program: Program | None = None) -> Recognised:
    """Name the tensors by the program that computes with them, else by their names.

    Of the schemes of names, the one that explains the most of them is taken.

    Raises WeightsError where no scheme knows the names or the program computes something else, and
    WeightsMismatchError where the names belong to a network that is not in the table although
    shapes may agree.
    """
    if program is not None:
        return _arranged(tensors, _follow(program))
    kept = {name: array for name, array in tensors.items() if not name.endswith(_COUNTERS)}
    if foreign := foreign_topology(list(kept)):
        reason, names = foreign
        raise WeightsMismatchError(
            f"These are the weights of another network: {reason}.",
            [f"unexpected  {name}  {list(kept[name].shape)}" for name in names],
            next_step="Give weights of a network that `residua models` lists.",
        )
    shapes = {name: array.shape for name, array in kept.items()}
    named = max((scheme(shapes) for scheme in _SCHEMES), key=lambda named: len(named.ours))
    if not any(new.startswith("stages.") for new in named.ours.values()):
        raise WeightsError(
            f"The names of these {len(kept)} tensors are of no kind that residua knows "
            f"({', '.join(list(kept)[:4])}, …).",
            next_step="It knows those of PaddleClas, torchvision, timm, the CIFAR ResNets and its "
            "own.",
        )
    return _arranged(kept, named)


def _follow(program: Program) -> Named:
    try:
        return name_program(program)
    except ProgramError as error:
        raise WeightsError(
            f"The exported program is none that residua follows: {error}.",
            next_step=error.next_step
            or "Give the archive of a network that `residua models` lists, as PaddleClas's "
            "export wrote it, or its training weights (NAME_pretrained.pdparams).",
        ) from error


def _arranged(kept: Mapping[str, np.ndarray], named: Named) -> Recognised:
    return Recognised(
        named=named,
        tensors={new: _in_our_layout(kept[old], new, named) for old, new in named.ours.items()},
        sources={new: old for old, new in named.ours.items()},
        unknown=tuple(name for name in kept if name not in named.ours),
    )


def _in_our_layout(array: np.ndarray, name: str, named: Named) -> np.ndarray:
    """Turn Paddle's [inputs, outputs], and timm's attention of 1x1 convolutions, into matrices."""
    if ".attention." in name and array.ndim == 4 and array.shape[2:] == (1, 1):
        return array[:, :, 0, 0]
    return array.T if array.ndim == 2 and named.transposed else array
