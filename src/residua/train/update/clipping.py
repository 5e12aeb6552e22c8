"""Bounds for gradients: of all together, or of each unit beside its weights; without any wait."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from residua.zoo.resnet import ResNet

# Of arXiv 2102.06171, section 4: weights of norm 0 could not move otherwise.
_LEAST = 1e-3


def clip_norm(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Scale the gradients down to a norm of ``limit`` in all, where it is larger.

    Returns the norm before, a scalar on the device: reading it is the caller's choice.
    """
    return nn.utils.clip_grad_norm_(list(parameters), limit)


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
