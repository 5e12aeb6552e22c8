"""The three shortcuts of the series: projection, average (vd) and padding (CIFAR, option A)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.bundle.schema import Architecture

# Below so many inputs oneDNN, with torch 2.13 on processors with AVX-512, writes beyond its memory
# when it computes the weights' gradient of a 1x1 convolution with a stride over channels-last
# pictures, in float32 and bfloat16 alike: the process dies, or worse, goes on (LOG.md, "what torch
# does to us"). Pixels left out beforehand, and no stride, come to the same.
_LEAST_INPUTS = 16


class Pointwise(nn.Conv2d):
    """A 1x1 convolution without bias, whose gradients a processor can compute."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        """Give ``inputs`` and ``outputs`` in channels."""
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - torch's name
        if self._is_unsafe(input, weight):
            rows, columns = self.stride
            return functional.conv2d(input[:, :, ::rows, ::columns], weight, bias)
        y: Tensor = super()._conv_forward(input, weight, bias)
        return y

    def _is_unsafe(self, x: Tensor, weight: Tensor) -> bool:
        """Tell whether the backward pass of the convolution itself could crash."""
        narrow = self.in_channels < _LEAST_INPUTS and self.stride != (1, 1)
        learning = torch.is_grad_enabled() and weight.requires_grad
        return narrow and learning and x.device.type == "cpu"


class Projection(nn.Module):
    """1x1 convolution and normalisation; with ``average`` the stride is a 2x2 average pool.

    The pool's divisor counts real pixels only, so that odd sizes agree with Paddle's "SAME".
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, average: bool) -> None:
        """``average`` moves a stride of 2 from the convolution into a pool before it."""
        super().__init__()
        pooled = average and stride > 1
        self.pool = (
            nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False)
            if pooled
            else nn.Identity()
        )
        self.conv = Pointwise(inputs, outputs, stride=1 if pooled else stride)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H/stride, W/stride]."""
        y: Tensor = self.norm(self.conv(self.pool(x)))
        return y


class PaddedSubsample(nn.Module):
    """Option A of arXiv 1512.03385: every second pixel, new channels filled with zeros."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        """The new channels are laid half before and half behind the old ones."""
        super().__init__()
        self.stride = stride
        self.before = (outputs - inputs) // 2
        self.behind = outputs - inputs - self.before

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H/stride, W/stride]."""
        subsampled = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(subsampled, (0, 0, 0, 0, self.before, self.behind))


def make_shortcut(
    row: Architecture, inputs: int, outputs: int, *, stride: int, first: bool
) -> nn.Module:
    """Return the shortcut of one block; ``first`` marks the first block of the first stage."""
    if inputs == outputs and stride == 1 and not (first and row.first_projection):
        return nn.Identity()
    if row.shortcut == "padding":
        return PaddedSubsample(inputs, outputs, stride=stride)
    return Projection(inputs, outputs, stride=stride, average=row.shortcut == "average")
