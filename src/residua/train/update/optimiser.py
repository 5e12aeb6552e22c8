"""The optimiser and its parameter groups: decay or none, and a learning rate a layer.

Rates are set before every update as plain floats. The optimisers hand them to their kernels as
numbers: nothing is compiled anew and no device is waited for.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from residua.base.errors import SettingError, UnknownNameError
from residua.train.recipe.descent import OptimiserPart
from residua.train.update.lamb import Lamb
from residua.train.update.lion import Lion
from residua.train.update.muon import Muon
from residua.train.update.rmsprop import RMSprop
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import list_layers, list_parts


def make_optimiser(
    network: ResNet, part: OptimiserPart, companions: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Return the optimiser of the trainable parameters of ``network``, where they are now.

    ``companions`` are trained beside them at the full rate.
    Each of its groups has its "factor" of the rate. Its state is tensors and numbers, whole in
    ``state_dict()``. Raises SettingError where nothing is trainable.
    """
    groups = make_groups(network, part)
    trained = [parameter for parameter in companions if parameter.requires_grad]
    if not groups:
        raise SettingError(
            "Every part of the network is frozen: there is nothing to train.",
            next_step="Let model.freeze name a part before the head.",
        )
    groups += _group_companions(trained, part)
    # torch's fused kernels update all tensors at once; on processors there is little to gain.
    fused = next(network.parameters()).device.type == "cuda"
    match part.name:
        case "sgd":
            nesterov = part.nesterov and part.momentum > 0
            return torch.optim.SGD(
                groups, part.lr, momentum=part.momentum, nesterov=nesterov, fused=fused
            )
        case "adam" | "adamw":
            kind = torch.optim.Adam if part.name == "adam" else torch.optim.AdamW
            return kind(groups, part.lr, betas=part.betas, eps=part.eps, fused=fused)
        case _:
            return _make_own(groups, part)


def _make_own(groups: list[dict[str, Any]], part: OptimiserPart) -> torch.optim.Optimizer:
    """Return one of those that torch has not, or not in their usual form."""
    match part.name:
        case "rmsprop":
            return RMSprop(
                groups, part.lr, momentum=part.momentum, share=part.betas[1], eps=part.eps
            )
        case "lamb":
            # Where the recipe bounds the norm itself, that is done before the step.
            limit = 1.0 if part.clip_norm is None else None
            return Lamb(groups, part.lr, betas=part.betas, eps=part.eps, max_norm=limit)
        case "lion":
            return Lion(groups, part.lr, betas=part.betas)
        case _:
            return Muon(
                groups, part.lr, momentum=part.momentum, nesterov=part.nesterov,
                betas=part.betas, eps=part.eps,
            )  # fmt: skip


def make_groups(network: ResNet, part: OptimiserPart) -> list[dict[str, Any]]:
    """Return the parameter groups: one for each learning rate with decay, and one without.

    Vectors (scales and shifts of normalisations, biases) do not decay unless ``decay_all``
    (arXiv 1812.01187, section 3.1). The rate of a layer is multiplied by that of its part and by
    ``layer_decay`` for every block between it and the head: the last block and the head have the
    full rate. Frozen parameters are in no group. For Muon the matrices of the stages are apart:
    those of the stem and the head, input and output of the network, are AdamW's, as its author
    advises. Raises UnknownNameError for a multiplier of no part.
    """
    parts = list_parts(network)
    for name in part.lr_multipliers:
        if name not in parts:
            raise UnknownNameError("part of the network", name, parts)
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for layer in list_layers(network):
        factor = part.lr_multipliers.get(layer.part, 1.0) * part.layer_decay**layer.blocks_after
        hidden = layer.part not in {"stem", "head"}
        for parameter in layer.parameters:
            matrix = parameter.ndim > 1
            turned = part.name == "muon" and hidden and matrix
            key = (factor, part.decay_all or matrix, turned)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "factor": factor,
            "lr": part.lr * factor,
            "weight_decay": part.weight_decay if decays else 0.0,
            "decays": decays,
        }
        | ({"matrices": True} if turned else {})
        for (factor, decays, turned), parameters in groups.items()
    ]


def _group_companions(parameters: list[nn.Parameter], part: OptimiserPart) -> list[dict[str, Any]]:
    """Return the groups of what is trained beside the network: matrices decay, vectors do not."""
    sorts = {
        True: [p for p in parameters if part.decay_all or p.ndim > 1],
        False: [p for p in parameters if not part.decay_all and p.ndim <= 1],
    }
    return [
        {
            "params": sort,
            "factor": 1.0,
            "lr": part.lr,
            "weight_decay": part.weight_decay if decays else 0.0,
            "decays": decays,
        }
        for decays, sort in sorts.items()
        if sort
    ]


def set_momentum(optimiser: torch.optim.Optimizer, value: float | None) -> None:
    """Give every group this momentum, as torch's OneCycleLR does; None leaves them as they are.

    With betas the first of them is meant; Muon's matrices have a momentum, sgd has nothing else.
    """
    if value is None:
        return
    for group in optimiser.param_groups:
        if "betas" in group and not group.get("matrices"):
            group["betas"] = (value, group["betas"][1])
        else:
            group["momentum"] = value


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group ``rate`` times its factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
