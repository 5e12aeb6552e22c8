"""The residual blocks: basic and bottleneck, and the convolution with its normalisation.

Shapes are [N, C, H, W] throughout. Stride 2 sits on the 3x3 of a bottleneck, in every variant.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from residua.bundle.schema import Architecture
from residua.zoo.attention import SqueezeExcite
from residua.zoo.shortcut import make_shortcut

EXPANSION = {"basic": 1, "bottleneck": 4, "res2net": 4}


class ConvNorm(nn.Module):
    """A convolution without bias, padded to keep the size, and its batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        """Give ``inputs`` and ``outputs`` in channels; the padding is ``(kernel - 1) / 2``."""
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H/stride, W/stride], without activation."""
        normed: Tensor = self.norm(self.conv(x))
        return normed


class DropPath(nn.Module):
    """Stochastic depth (arXiv 1603.09382): in training, whole residual branches are left out.

    ``draws`` are the numbers that decide: float [N] in 0…1; a row's branch is dropped where its
    number is below ``rate``. ``zoo.surgery.set_drop_draws`` gives them, so that they need not
    depend on who computes a row; None draws them from torch's generator.
    """

    def __init__(self, rate: float) -> None:
        """``rate`` is the probability that one sample's branch is dropped."""
        super().__init__()
        self.rate = rate
        self.draws: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Keep the expectation: what stays is divided by the probability of staying."""
        if not self.training or self.rate == 0:
            return x
        draws = self.draws
        if draws is None:
            draws = torch.rand(x.shape[0], device=x.device)
        mask = (draws >= self.rate).to(x.dtype).view(-1, 1, 1, 1)
        # Two steps: 1 / keep is not rounded to the half precision that x may have.
        return x * mask / (1 - self.rate)


class ResidualBlock(nn.Module):
    """What all blocks share: shortcut, attention, drop path, addition and the last ReLU."""

    def __init__(
        self, row: Architecture, inputs: int, outputs: int, *, stride: int, first: bool, drop: float
    ) -> None:
        """``first`` marks the first block of the first stage, ``drop`` is its drop-path rate."""
        super().__init__()
        self.shortcut = make_shortcut(row, inputs, outputs, stride=stride, first=first)
        self.attention: nn.Module = (
            SqueezeExcite(outputs, row.se_reduction) if row.se_reduction else nn.Identity()
        )
        self.drop = DropPath(drop)

    def branch(self, x: Tensor) -> Tensor:
        """The residual branch up to its last normalisation."""
        raise NotImplementedError

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation that ends the branch (zeroed by ``zero_gamma``)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H/stride, W/stride]."""
        residual = self.drop(self.attention(self.branch(x)))
        return functional.relu(residual + self.shortcut(x))


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions (arXiv 1512.03385, figure 5 left)."""

    def __init__(
        self,
        row: Architecture,
        inputs: int,
        width: int,
        inner: int,
        *,
        stride: int,
        first: bool,
        drop: float,
    ) -> None:
        """``width`` is the width of the stage, ``inner`` the channels between the convolutions."""
        super().__init__(row, inputs, width, stride=stride, first=first, drop=drop)
        self.conv0 = ConvNorm(inputs, inner, 3, stride=stride)
        self.conv1 = ConvNorm(inner, width, 3)

    def branch(self, x: Tensor) -> Tensor:
        """3x3, ReLU, 3x3."""
        y: Tensor = self.conv1(functional.relu(self.conv0(x)))
        return y

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation of the second 3x3."""
        return self.conv1.norm


class Bottleneck(ResidualBlock):
    """1x1, grouped 3x3, 1x1: the block of ResNet50 and deeper, of ResNeXt and Wide ResNet."""

    def __init__(
        self,
        row: Architecture,
        inputs: int,
        width: int,
        inner: int,
        *,
        stride: int,
        first: bool,
        drop: float,
    ) -> None:
        """``width`` is the width of the stage, ``inner`` that of the 3x3."""
        outputs = width * EXPANSION["bottleneck"]
        super().__init__(row, inputs, outputs, stride=stride, first=first, drop=drop)
        self.conv0 = ConvNorm(inputs, inner, 1)
        self.conv1 = ConvNorm(inner, inner, 3, stride=stride, groups=row.groups)
        self.conv2 = ConvNorm(inner, outputs, 1)

    def branch(self, x: Tensor) -> Tensor:
        """1x1, ReLU, 3x3, ReLU, 1x1."""
        y = functional.relu(self.conv0(x))
        last: Tensor = self.conv2(functional.relu(self.conv1(y)))
        return last

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation of the last 1x1."""
        return self.conv2.norm


class SplitBottleneck(ResidualBlock):
    """The hierarchical block of Res2Net (arXiv 1904.01169), in the form PaddleClas trained.

    The middle is split into ``scale`` branches; each 3x3 also receives its neighbour's result. In
    a block of stride 2 the branches are apart and the last one is average-pooled. timm's variant
    treats the first block of stage 1 like one of stride 2, so its weights are another network.
    """

    def __init__(
        self,
        row: Architecture,
        inputs: int,
        width: int,
        inner: int,
        *,
        stride: int,
        first: bool,
        drop: float,
    ) -> None:
        """``width`` is the width of the stage, ``inner`` that of all branches together."""
        outputs = width * EXPANSION["res2net"]
        super().__init__(row, inputs, outputs, stride=stride, first=first, drop=drop)
        self.scale = row.scale
        self.apart = stride == 2
        branch = inner // row.scale
        self.conv0 = ConvNorm(inputs, inner, 1)
        self.split = nn.ModuleList(
            ConvNorm(branch, branch, 3, stride=stride) for _ in range(row.scale - 1)
        )
        self.pool = (
            nn.AvgPool2d(3, stride, 1, count_include_pad=False) if self.apart else nn.Identity()
        )
        self.conv2 = ConvNorm(inner, outputs, 1)

    def branch(self, x: Tensor) -> Tensor:
        """1x1, ReLU, the hierarchy of 3x3, 1x1."""
        parts = functional.relu(self.conv0(x)).chunk(self.scale, 1)
        results: list[Tensor] = []
        for conv, part in zip(self.split, parts[:-1], strict=True):
            joined = part if self.apart or not results else part + results[-1]
            results.append(functional.relu(conv(joined)))
        results.append(self.pool(parts[-1]))
        y: Tensor = self.conv2(torch.cat(results, 1))
        return y

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The normalisation of the last 1x1."""
        return self.conv2.norm


BLOCKS: dict[str, type[BasicBlock | Bottleneck | SplitBottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
    "res2net": SplitBottleneck,
}
