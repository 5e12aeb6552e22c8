"""RMSprop as its lecture, TensorFlow and Paddle have it: epsilon within the root.

torch's own adds it to the root, and multiplies by the rate after the momentum; timm's
RMSpropTF says what that costs.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from residua.train.update.moments import GroupwiseOptimiser


class RMSprop(GroupwiseOptimiser):
    """RMSprop (Hinton, Coursera, lecture 6e) with coupled decay (L2).

    For every weight w of gradient g, with d = g + weight_decay w: s = share s + (1 - share) d²;
    v = momentum v + lr d / √(s + eps); w = w - v. Both begin at 0, as in paddle.optimizer.RMSProp.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.0,
        share: float = 0.95,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        """``share`` of the past is in the mean of the squares."""
        super().__init__(
            groups,
            {
                "lr": lr, "momentum": momentum, "share": share, "eps": eps,
                "weight_decay": weight_decay,
            },
        )  # fmt: skip

    def move(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> None:
        """Take ``gradients`` into the means and velocities, and step by the latter."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["square_avg"] = torch.zeros_like(parameter)
                self.state[parameter]["velocity"] = torch.zeros_like(parameter)
        squares = [self.state[parameter]["square_avg"] for parameter in parameters]
        velocities = [self.state[parameter]["velocity"] for parameter in parameters]
        if group["weight_decay"]:
            decays = torch._foreach_mul(parameters, group["weight_decay"])  # noqa: SLF001
            torch._foreach_add_(decays, gradients)
            gradients = list(decays)
        torch._foreach_mul_(squares, group["share"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["share"])
        spreads = torch._foreach_add(squares, group["eps"])  # noqa: SLF001  # see moments.py
        torch._foreach_sqrt_(spreads)
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, gradients, spreads, group["lr"])
        torch._foreach_sub_(parameters, velocities)
