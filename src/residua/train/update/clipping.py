"""What is done to gradients before a step, without any wait: bounds, and the L1 penalty.

Bounds are of all together, of each tensor, or of each unit beside its weights.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from residua.train.recipe.descent import OptimiserPart
from residua.zoo.resnet import ResNet

# Of arXiv 2102.06171, section 4: weights of norm 0 could not move otherwise.
_LEAST = 1e-3


def changes_gradients(part: OptimiserPart) -> bool:
    """Tell whether ``change_gradients`` does anything."""
    return bool(part.clip_norm or part.clip_tensor_norm or part.agc or part.l1_decay)


def change_gradients(
    network: ResNet, groups: Iterable[dict[str, Any]], part: OptimiserPart
) -> None:
    """Bound the gradients as ``part`` says, then add the L1 penalty's to those of what decays.

    ``groups`` are the optimiser's: companions of the network are among them.
    """
    groups = list(groups)
    parameters = [p for group in groups for p in group["params"]]
    if part.clip_norm:
        clip_norm(parameters, part.clip_norm)
    if part.clip_tensor_norm:
        clip_tensors(parameters, part.clip_tensor_norm)
    if part.agc:
        clip_adaptively(network, part.agc)
    if part.l1_decay:
        add_signs(
            [p for group in groups if group["decays"] for p in group["params"]], part.l1_decay
        )


def clip_norm(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Scale the gradients down to a norm of ``limit`` in all, where it is larger.

    Returns the norm before, a scalar on the device: reading it is the caller's choice.
    """
    return nn.utils.clip_grad_norm_(list(parameters), limit)


@torch.no_grad()
def clip_tensors(parameters: Iterable[Tensor], limit: float) -> None:
    """Scale each gradient down to a norm of ``limit`` where its own is larger."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch._foreach_norm(gradients)  # noqa: SLF001  # see moments.py
    scales = [(limit / norm.clamp(min=limit)) for norm in norms]
    torch._foreach_mul_(gradients, scales)


@torch.no_grad()
def add_signs(parameters: Iterable[Tensor], factor: float) -> None:
    """Add ``factor`` times the signs of the weights to their gradients: the L1 penalty's."""
    found = [(p, p.grad) for p in parameters if p.grad is not None]
    signs = torch._foreach_sign([weight for weight, _ in found])  # noqa: SLF001
    torch._foreach_add_([gradient for _, gradient in found], signs, alpha=factor)


@torch.no_grad()
def clip_adaptively(network: ResNet, factor: float) -> None:
    """Bound the gradient of each unit to ``factor`` times the norm of its weights.

    Adaptive gradient clipping (arXiv 2102.06171, section 4): a unit is the kernel of one output
    channel, or a whole vector; a norm of weights below 0.001 counts as that. The head is left out,
    as the paper says.
    """
    head = {id(parameter) for parameter in network.head.parameters()}
    weights = [p for p in network.parameters() if p.grad is not None and id(p) not in head]
    if not weights:
        return
    gradients = [p.grad for p in weights if p.grad is not None]
    sizes = [_norm_units(weight) for weight in weights]
    lengths = torch.cat([norms.flatten() for norms in map(_norm_units, gradients)])  # [units]
    limits = torch.cat([norms.flatten() for norms in sizes]).clamp(min=_LEAST) * factor
    scales = (limits / lengths.clamp(min=1e-6)).clamp(max=1)
    pieces = torch.split(scales, [norms.numel() for norms in sizes])
    torch._foreach_mul_(
        gradients, [piece.view(norms.shape) for piece, norms in zip(pieces, sizes, strict=True)]
    )


def _norm_units(tensor: Tensor) -> Tensor:
    """[out, …] → the norm of each output's weights [out, 1, …]; of a vector the whole's: [1]."""
    axes = tuple(range(1, tensor.ndim)) or (0,)
    norms: Tensor = torch.linalg.vector_norm(tensor, dim=axes, keepdim=True)
    return norms
