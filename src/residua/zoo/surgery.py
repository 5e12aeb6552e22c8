"""Changes to a network that is there: another head, other input channels, frozen parts, groups.

The parts of a network are its stem, its stages and its head, named "stem", "stage1", … "head".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from residua.base.errors import SettingError, UnknownNameError
from residua.zoo.block import DropPath
from residua.zoo.resnet import ResNet

_FIRST = "stem.0.conv.weight"


@dataclass(frozen=True, slots=True)
class Layer:
    """The stem, one block or the head: its trainable parameters, and where it is.

    ``part`` names the part it belongs to, ``blocks_after`` counts the blocks between it and the
    head: 0 for the last block and for the head itself.
    """

    part: str
    blocks_after: int
    parameters: tuple[nn.Parameter, ...]


def list_parts(network: ResNet) -> dict[str, nn.Module]:
    """Return the parts by name, from input to output."""
    stages = {f"stage{index + 1}": stage for index, stage in enumerate(network.stages)}
    return {"stem": network.stem, **stages, "head": network.head}


def replace_head(network: ResNet, num_classes: int) -> None:
    """Give ``network`` a freshly drawn classifier of ``num_classes`` outputs."""
    head = nn.Linear(network.num_features, num_classes)
    bound = 1 / math.sqrt(network.num_features)
    nn.init.uniform_(head.weight, -bound, bound)
    nn.init.zeros_(head.bias)
    network.head = head.to(next(network.parameters()).device)
    network.row = network.row.model_copy(update={"num_classes": num_classes})


def adapt_channels(tensors: Mapping[str, np.ndarray], channels: int) -> dict[str, np.ndarray]:
    """Fit the first convolution of RGB weights to ``channels`` input channels.

    The rule keeps the function where it can: for grey (1) the three kernels are added, so that a
    grey picture gives what the same picture as RGB gave; 2 channels get the mean kernel times 3/2
    each; from 4 on (RGBA, …) the first three keep their kernels and the others start at zero.
    """
    kernel = tensors[_FIRST]  # [outputs, channels, k, k]
    if kernel.shape[1] == channels:
        return dict(tensors)
    if kernel.shape[1] != 3:
        raise SettingError(
            f"The weights take {kernel.shape[1]} input channels; only RGB weights can be adapted.",
            next_step=f"Start from weights for 3 or for {channels} channels.",
        )
    if channels < 3:
        adapted = np.repeat(kernel.sum(1, keepdims=True) / channels, channels, axis=1)
    else:
        extra = np.zeros((kernel.shape[0], channels - 3, *kernel.shape[2:]), kernel.dtype)
        adapted = np.concatenate([kernel, extra], axis=1)
    return {**tensors, _FIRST: adapted}


def freeze(network: ResNet, last: str, *, but_last_norm: bool = False) -> None:
    """Freeze everything from the input up to and including the part ``last``.

    ``but_last_norm`` leaves the normalisation free that is the last before the classifier.

    Frozen parts get no gradients and stay in evaluation mode (their normalisations keep their
    statistics), whatever ``network.train()`` says later. Raises UnknownNameError.
    """
    parts = list_parts(network)
    if last not in parts:
        raise UnknownNameError(
            "part of the network", last, parts, next_step=f"There are: {', '.join(parts)}."
        )
    names = list(parts)
    frozen = names[: names.index(last) + 1]
    for name in frozen:
        parts[name].requires_grad_(requires_grad=False)
    network.frozen = tuple(parts[name] for name in frozen)
    if but_last_norm:
        *_, norm = (m for m in network.stages.modules() if isinstance(m, nn.BatchNorm2d))
        norm.requires_grad_(requires_grad=True)
        network.thawed = (norm,)
    network.train(network.training)


def group_parameters(network: ResNet) -> dict[str, list[nn.Parameter]]:
    """Return the trainable parameters of each part, for learning rates of their own."""
    return {
        name: [parameter for parameter in part.parameters() if parameter.requires_grad]
        for name, part in list_parts(network).items()
    }


def list_layers(network: ResNet) -> list[Layer]:
    """Return the stem, each block and the head from input to output.

    Every trainable parameter is in one of them; a frozen layer has none.
    """
    modules: list[tuple[str, nn.Module]] = [("stem", network.stem)]
    for index, stage in enumerate(network.stages):
        modules += [(f"stage{index + 1}", block) for block in stage.children()]
    modules.append(("head", network.head))
    last_block = len(modules) - 2
    return [
        Layer(
            part,
            max(0, last_block - place),
            tuple(parameter for parameter in module.parameters() if parameter.requires_grad),
        )
        for place, (part, module) in enumerate(modules)
    ]


def list_drop_paths(network: ResNet) -> list[DropPath]:
    """Return the drop path of every block, from input to output; its rate may be 0."""
    return [module for module in network.modules() if isinstance(module, DropPath)]


def set_drop_draws(network: ResNet, draws: Tensor | None) -> None:
    """Decide which rows of the next batches skip which blocks.

    ``draws`` is float [blocks, N] in 0…1, blocks as in ``list_drop_paths``, on the network's
    device: block b leaves out the branch of row n where ``draws[b, n]`` is below its rate. None
    lets torch's generator decide. Drawn from the seed, the update and the number of the row, they
    are the same for any number of processes and any micro-batch.
    """
    paths = list_drop_paths(network)
    if draws is not None and len(draws) != len(paths):
        raise SettingError(f"Draws for {len(draws)} blocks; the network has {len(paths)}.")
    for index, path in enumerate(paths):
        path.draws = None if draws is None else draws[index]
