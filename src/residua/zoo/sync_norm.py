"""Batch normalisation over the rows of all processes, as if one process had them all.

Every process must meet the same normalisations in the same order: they wait for one another.
"""

from typing import Any

import torch
from torch import Tensor, autograd, distributed, nn

from residua.zoo.resnet import ResNet


def synchronise_norms(network: ResNet) -> None:
    """Let the normalisations of ``network`` see the rows of all processes, in place.

    torch.distributed must have begun. Parameters, statistics and their names stay. Between GPUs
    (NCCL) torch's own SyncBatchNorm does it, which waits for the device once a normalisation;
    torch has none for processors, where ``SyncNorm`` does it. Evaluation exchanges nothing.
    """
    kind = nn.SyncBatchNorm if distributed.get_backend() == "nccl" else SyncNorm
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _replace(child, kind))


def _replace(
    norm: nn.BatchNorm2d, kind: type[nn.SyncBatchNorm | nn.BatchNorm2d]
) -> nn.SyncBatchNorm | nn.BatchNorm2d:
    """Return a normalisation of ``kind`` that holds the very tensors of ``norm``."""
    made = kind(norm.num_features, norm.eps, norm.momentum)
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        setattr(made, name, getattr(norm, name))
    return made.train(norm.training)


class SyncNorm(nn.BatchNorm2d):
    """Batch normalisation whose mean and variance are those of the rows of all processes."""

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        """As for torch's ``BatchNorm2d``."""
        super().__init__(channels, eps, momentum)
        # An exchange between processes is not for a compiler to trace.
        disable: Any = torch.compiler.disable
        self._normalise = disable(_Normalise.apply)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same shape; N may differ between the processes."""
        if not self.training:
            return super().forward(x)
        normed: Tensor
        normed, mean, variance, count = self._normalise(x, self.weight, self.bias, self.eps)
        batches = self.get_buffer("num_batches_tracked").add_(1)
        share = 1 / batches if self.momentum is None else self.momentum
        self.get_buffer("running_mean").lerp_(mean, share)
        # The running variance is the unbiased one, as in torch's batch normalisation.
        self.get_buffer("running_var").lerp_(variance * (count / (count - 1)), share)
        return normed


class _Normalise(autograd.Function):
    """Normalise with the mean and variance of all processes (arXiv 1502.03167, algorithm 1)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the result, the mean [C], the biased variance [C] and the number of values."""
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(values, (0, 2, 3), correction=0)
        count = mean.new_full((1,), x.numel() // x.shape[1])
        own = torch.cat([mean, variance, count])
        everyone = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(everyone, own)
        gathered = torch.stack(everyone)  # [processes, 2 C + 1]
        means, variances, counts = torch.split(gathered, [len(mean), len(mean), 1], dim=1)
        # Chan, Golub and LeVeque 1979: no difference of large sums is taken.
        count = counts.sum()
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean).square())).sum(0) / count
        deviation = (variance + eps).sqrt()
        ctx.save_for_backward(x, weight, mean, deviation, count)
        ctx.mark_non_differentiable(mean, variance, count)
        normed = (values - _spread(mean)) / _spread(deviation)
        return (normed * _spread(weight) + _spread(bias)).to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Return the gradient of this process's rows, and its share of those of scale and shift."""
        x, weight, mean, deviation, count = ctx.saved_tensors
        grad = grad.to(mean.dtype)
        normed = (x - _spread(mean)) / _spread(deviation)
        shift, scale = grad.sum((0, 2, 3)), (grad * normed).sum((0, 2, 3))
        means = torch.cat([shift, scale])
        distributed.all_reduce(means)
        mean_shift, mean_scale = (means / count).chunk(2)
        inner = grad - _spread(mean_shift) - normed * _spread(mean_scale)
        return (inner * _spread(weight / deviation)).to(x.dtype), scale, shift, None


def _spread(values: Tensor) -> Tensor:
    """[C] → [C, 1, 1], beside [N, C, H, W]."""
    return values[:, None, None]
