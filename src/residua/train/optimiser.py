"""The optimiser and its parameter groups: decay or none, and a learning rate a part."""

import torch
from torch import nn

from residua.base.errors import UnknownNameError
from residua.train.recipe import OptimiserPart
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import group_parameters


def make_optimiser(network: ResNet, part: OptimiserPart) -> torch.optim.SGD:
    """Return SGD over the trainable parameters of ``network``; each group has its "factor"."""
    return torch.optim.SGD(
        make_groups(network, part), lr=part.lr, momentum=part.momentum, nesterov=part.nesterov
    )


def make_groups(network: ResNet, part: OptimiserPart) -> list[dict[str, object]]:
    """Return the parameter groups, one for each learning rate with decay and one without.

    Vectors (scales and shifts of normalisations, biases) do not decay unless ``decay_all``
    (arXiv 1812.01187, section 3.1). Raises UnknownNameError for a multiplier of no part.
    """
    parts = group_parameters(network)
    for name in part.lr_multipliers:
        if name not in parts:
            raise UnknownNameError("part of the network", name, parts)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameters in parts.items():
        factor = part.lr_multipliers.get(name, 1.0)
        for parameter in parameters:
            decays = part.decay_all or parameter.ndim > 1
            groups.setdefault((factor, decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "factor": factor,
            "lr": part.lr * factor,
            "weight_decay": part.weight_decay if decays else 0.0,
        }
        for (factor, decays), parameters in groups.items()
    ]


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group ``rate`` times its factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
