"""The rounding of int8 in a network that goes on computing in floating point.

A value is put onto the grid of 256 levels that an int8 export will have there, and stays a float.
Gradients pass as if nothing had been rounded where the value lies within the range, and are zero
beyond it (the straight-through estimator, arXiv 1712.05877, section 3). What is rounded, and over
which ranges, is what NNCF does to the graph of ``residua export --precision int8``:

* weights, for each output channel, symmetric, by the channel's largest magnitude. An export folds
  normalisations first, which multiplies each channel by a number; that changes its scale by the
  same number and its levels not at all, so nothing is folded here. (NNCF gives channels below a
  hundredth of the layer's strongest coarser levels than they would have; here they have their own.)
* what goes into convolutions, fully connected layers, additions and the final pool, for the whole
  tensor, over a range that holds zero: the means over pictures of each one's least and greatest
  value.

The names, shapes and values of the network's tensors stay as they are, and nothing joins them:
ranges are plain numbers. Copies of the network (``copy.deepcopy``) round too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, autograd, nn

from residua.zoo.attention import SqueezeExcite
from residua.zoo.block import ResidualBlock
from residua.zoo.resnet import ResNet
from residua.zoo.shortcut import Pointwise, Projection

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

_LEVELS = 255  # the highest of the 256 levels of an activation
_Inputs = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A tensor that is rounded: what ``module`` is given, or gives out if ``after``."""

    module: nn.Module
    after: bool = False


class Grid:
    """256 levels over a range, one of which is zero.

    Level n stands for ``(n - zero) * scale``.
    """

    def __init__(self, low: float, high: float) -> None:
        """The range from ``low`` to ``high`` is widened so that zero has a level.

        A range that holds nothing but zero rounds nothing.
        """
        low, high = min(low, 0.0), max(high, 0.0)
        self.scale = (high - low) / _LEVELS
        self.zero = round(-low / self.scale) if self.scale else 0
        if 0 < self.zero < _LEVELS:
            self.scale = max(-low / self.zero, high / (_LEVELS - self.zero))

    def round(self, x: Tensor) -> Tensor:
        """Return ``x`` on the levels, in the type that it has; computed in float32."""
        if not self.scale:
            return x
        rounded = torch.fake_quantize_per_tensor_affine(
            x.float(), self.scale, self.zero, 0, _LEVELS
        )
        return rounded.to(x.dtype)

    def before(self, _: nn.Module, inputs: _Inputs) -> _Inputs:
        """Round what a module is given, as a hook."""
        return (self.round(inputs[0]), *inputs[1:])

    def after(self, _: nn.Module, __: _Inputs, output: Tensor) -> Tensor:
        """Round what a module gives out, as a hook."""
        return self.round(output)


def round_weight(weight: Tensor, highest: int) -> Tensor:
    """Return ``weight`` [outputs, …] on the levels -highest … highest that each output has.

    The largest magnitude of an output is its highest level, so all gradients pass. ``highest`` is
    127, or 63 where products of int8 are added up in 16 bits.
    """
    apply: Any = _RoundWeight.apply
    rounded: Tensor = apply(weight, highest)
    return rounded


class _RoundWeight(autograd.Function):
    """The rounding of weights, whose gradient keeps its layout in memory, too."""

    @staticmethod
    def forward(_: Any, weight: Tensor, highest: int) -> Tensor:
        """Round; an output that is all zero stays so."""
        scales = weight.abs().flatten(1).amax(1) / highest  # [outputs]
        scales = scales.clamp_min(torch.finfo(weight.dtype).tiny).view(-1, *[1] * (weight.ndim - 1))
        return weight.clone().div_(scales).round_().mul_(scales)  # laid out as the weight

    @staticmethod
    def backward(_: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient as it is."""
        return grad, None


class RoundedConv2d(nn.Conv2d):
    """A convolution with the weights that int8 has for it."""

    highest: int

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """[N, inputs, H, W] → [N, outputs, H/stride, W/stride]."""
        y: Tensor = self._conv_forward(input, round_weight(self.weight, self.highest), self.bias)
        return y


class RoundedPointwise(RoundedConv2d, Pointwise):
    """The same of a projection's."""


class RoundedLinear(nn.Linear):
    """A fully connected layer with the weights that int8 has for it."""

    highest: int

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """[N, inputs] → [N, outputs]."""
        return nn.functional.linear(input, round_weight(self.weight, self.highest), self.bias)


class Rounding:
    """The rounding of one network, from its making to ``remove``."""

    _KINDS: ClassVar[dict[type[nn.Module], type[nn.Module]]] = {
        nn.Conv2d: RoundedConv2d,
        Pointwise: RoundedPointwise,
        nn.Linear: RoundedLinear,
    }

    def __init__(
        self, network: ResNet, ranges: Mapping[str, tuple[float, float]], *, highest: int = 127
    ) -> None:
        """``ranges`` has the least and the greatest value of each of ``list_points``."""
        self._handles: list[RemovableHandle] = []
        self._own: list[tuple[Any, type[nn.Module]]] = []
        for name, point in list_points(network).items():
            grid = Grid(*ranges[name])
            self._handles.append(
                point.module.register_forward_hook(grid.after)
                if point.after
                else point.module.register_forward_pre_hook(grid.before)
            )
        layers: list[Any] = [m for m in network.modules() if type(m) in self._KINDS]
        for layer in layers:
            self._own.append((layer, type(layer)))
            layer.__class__ = self._KINDS[type(layer)]
            layer.highest = highest

    def remove(self) -> None:
        """Let the network compute as it did before."""
        for handle in self._handles:
            handle.remove()
        for layer, kind in self._own:
            layer.__class__ = kind
            del layer.highest
        self._handles, self._own = [], []


def list_points(network: ResNet) -> dict[str, Point]:
    """Return by name where activations are rounded.

    Of a block that is what comes in, what goes into its further layers, and what its branch and its
    projection give to the addition; what an identity adds has been rounded where it came in.
    """
    points = {}
    blocks = {n: m for n, m in network.named_modules() if isinstance(m, ResidualBlock)}
    taken: set[nn.Module] = set()
    for name, block in blocks.items():
        points[f"{name} in"] = Point(block)
        points[f"{name}.attention out"] = Point(block.attention, after=True)
        if isinstance(block.attention, SqueezeExcite):
            points[f"{name}.attention in"] = Point(block.attention)
        if isinstance(block.shortcut, Projection):
            points[f"{name}.shortcut out"] = Point(block.shortcut, after=True)
            if isinstance(block.shortcut.pool, nn.Identity):
                taken.add(block.shortcut.conv)
        taken.add(block.get_submodule("conv0.conv"))
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module not in taken:
            points[f"{name} in"] = Point(module)
    points["features"] = Point(network.stages[-1], after=True)
    return points
