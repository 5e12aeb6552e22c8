"""What LAMB, Lion and Muon share: the frame of a step, and the two moments of Adam.

Operations on lists of tensors (``torch._foreach_…``) start few kernels, and the numbers that steer
them are plain floats: nothing waits for a device. They are private by name, but what torch's own
optimisers consist of; there is no public form.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class GroupwiseOptimiser(Optimizer):
    """An optimiser whose step is one subtraction a group; what is subtracted, its heirs say."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update the parameters; return what ``closure``, run first, gives."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                gradients = [parameter.grad for parameter in parameters]
                self.move(parameters, gradients, group)
        return loss

    def move(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> None:
        """Take the step of one group."""
        updates = self.find_updates(parameters, gradients, group)
        torch._foreach_add_(parameters, updates, alpha=-group["lr"])

    def find_updates(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Return what the rate is multiplied with, one tensor a parameter; decay weights before."""
        raise NotImplementedError


def decay(parameters: list[Tensor], group: dict[str, Any]) -> None:
    """Shrink the weights apart from their gradients (arXiv 1711.05101, algorithm 2)."""
    if group["weight_decay"]:
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])


def follow_moments(
    parameters: list[Tensor],
    gradients: list[Tensor],
    states: list[dict[str, Any]],
    *,
    betas: tuple[float, float],
    eps: float,
) -> list[Tensor]:
    """Take ``gradients`` into the moments; return the directions m / (sqrt(v) + eps), unbiased.

    These are Adam's (arXiv 1412.6980, algorithm 1).
    ``states`` are the optimiser's, one a parameter; an empty one begins.
    """
    for state, parameter in zip(states, parameters, strict=True):
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
    first = [state["exp_avg"] for state in states]
    second = [state["exp_avg_sq"] for state in states]
    torch._foreach_lerp_(first, gradients, 1 - betas[0])
    torch._foreach_mul_(second, betas[1])
    torch._foreach_addcmul_(second, gradients, gradients, 1 - betas[1])
    # The corrections of the bias, one number a parameter.
    mean_parts = [1 - betas[0] ** state["step"] for state in states]
    root_parts = [(1 - betas[1] ** state["step"]) ** 0.5 for state in states]
    spreads = torch._foreach_sqrt(second)  # noqa: SLF001  # see above
    torch._foreach_div_(spreads, root_parts)
    torch._foreach_add_(spreads, eps)
    directions = torch._foreach_div(first, mean_parts)  # noqa: SLF001
    torch._foreach_div_(directions, spreads)
    return list(directions)
