"""LAMB: Adam whose step is as long as the weights are, layer by layer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from residua.train.update.clipping import clip_norm
from residua.train.update.moments import GroupwiseOptimiser, follow_moments


class Lamb(GroupwiseOptimiser):
    """LAMB (arXiv 1904.00962, algorithm 2), as RSB used it (arXiv 2110.00476, through timm).

    As in NVIDIA's FusedLAMB, the norm of all gradients is bounded by ``max_norm`` first (None is
    off), both moments are unbiased, and only groups that decay have their step scaled by the trust
    ratio |weights| / |update| (1 where either is 0); scales and shifts take Adam's step.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        max_norm: float | None = 1.0,
    ) -> None:
        """``groups`` may have settings of their own, apart from ``max_norm``."""
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(groups, defaults)
        self.max_norm = max_norm

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update the parameters; return what ``closure``, run first, gives."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        if self.max_norm is not None:
            clip_norm([p for group in self.param_groups for p in group["params"]], self.max_norm)
        super().step()
        return loss

    def find_updates(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Return Adam's directions, in groups that decay with the decay and as long as the weights.

        The decay is part of the direction here, and scaled with it.
        """
        states = [self.state[parameter] for parameter in parameters]
        updates = follow_moments(
            parameters, gradients, states, betas=group["betas"], eps=group["eps"]
        )
        if group["weight_decay"]:
            torch._foreach_add_(updates, parameters, alpha=group["weight_decay"])
            torch._foreach_mul_(updates, _trust(parameters, updates))
        return updates


def _trust(parameters: list[Tensor], updates: list[Tensor]) -> list[Tensor]:
    """Return |weights| / |update| of each parameter, as scalars on the device."""
    weights = torch.stack(torch._foreach_norm(parameters))  # noqa: SLF001  # see moments.py
    lengths = torch.stack(torch._foreach_norm(updates))  # noqa: SLF001
    ratios = torch.where((weights > 0) & (lengths > 0), weights / lengths, 1.0)
    return list(ratios.unbind())
