"""Lion: every weight moves by the learning rate, along the sign of a momentum."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from residua.train.update.moments import GroupwiseOptimiser, decay


class Lion(GroupwiseOptimiser):
    """Lion (arXiv 2302.06675, algorithm 2), with decoupled weight decay.

    The paper advises a rate 3 to 10 times smaller than AdamW's and a decay as many times larger
    (section 5), and betas of 0.9 and 0.99.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        """``betas`` are the shares of the past in the step and in the momentum."""
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def find_updates(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> list[Tensor]:
        """Take ``gradients`` into the momenta and return the signs of the steps."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["exp_avg"] = torch.zeros_like(parameter)
        momenta = [self.state[parameter]["exp_avg"] for parameter in parameters]
        step_share, momentum_share = group["betas"]
        updates = torch._foreach_lerp(momenta, gradients, 1 - step_share)  # noqa: SLF001
        torch._foreach_sign_(updates)
        torch._foreach_lerp_(momenta, gradients, 1 - momentum_share)
        decay(parameters, group)
        return list(updates)
