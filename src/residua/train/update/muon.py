"""Muon: the step of a hidden matrix is its momentum made orthogonal; the rest takes AdamW's."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from residua.train.update.moments import GroupwiseOptimiser, decay, follow_moments

# The quintic iteration of Keller Jordan's Muon (2024), its coefficients and five rounds, as in
# torch.optim.Muon: singular values end between about 0.5 and 1.5.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_EPS = 1e-7


class Muon(GroupwiseOptimiser):
    """Muon for groups with "matrices" set, AdamW for the others, with one rate and decay for both.

    A kernel [out, in, k, k] counts as the matrix [out, in k k]. torch.optim.Muon, whose step of a
    matrix this is, takes tensors of two dimensions only, and nothing beside them. Updates are
    scaled by 0.2 sqrt(max(rows, columns)), which makes them as large as AdamW's, so that its rate
    and decay suit both (arXiv 2502.16982, section 2.2).
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        """``momentum`` and ``nesterov`` are of the matrices, ``betas`` and ``eps`` of AdamW."""
        defaults = {
            "lr": lr, "momentum": momentum, "nesterov": nesterov, "betas": betas, "eps": eps,
            "weight_decay": weight_decay, "matrices": False,
        }  # fmt: skip
        super().__init__(groups, defaults)

    def find_updates(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Return Muon's updates of matrices, AdamW's of all else."""
        decay(parameters, group)
        if group["matrices"]:
            return self._turn(parameters, gradients, group)
        states = [self.state[parameter] for parameter in parameters]
        return follow_moments(parameters, gradients, states, betas=group["betas"], eps=group["eps"])

    def _turn(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Take ``gradients`` into the momenta and return the updates of the matrices."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        momenta = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead: Sequence[Tensor] = momenta
        if group["nesterov"]:
            ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])  # noqa: SLF001
        updates = []
        for tensor in ahead:
            matrix = tensor.flatten(1)
            turned = _orthogonalise(matrix).reshape(tensor.shape)
            update = torch.empty_like(tensor).copy_(turned)  # laid out as the weights are
            updates.append(update.mul_(0.2 * max(matrix.shape) ** 0.5))
        return updates


def _orthogonalise(matrix: Tensor) -> Tensor:
    """Return about U V' for ``matrix`` = U S V' by Newton and Schulz's iteration, in bfloat16."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=_EPS)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
