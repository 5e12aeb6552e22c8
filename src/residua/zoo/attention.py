"""Squeeze-and-excitation: each channel weighted by what the whole picture holds."""

from torch import Tensor, nn
from torch.nn import functional


class SqueezeExcite(nn.Module):
    """Global average pool → C/reduction → ReLU → C → sigmoid (arXiv 1709.01507).

    It stands after the last normalisation of the branch, before the addition, as in PaddleClas's
    ``se_resnet_vd.py``; the reduction is of the block's output width.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        """``channels`` of input and output, ``channels // reduction`` (at least 1) in between."""
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same shape, each channel scaled by a factor in 0…1."""
        squeezed = functional.relu(self.squeeze(x.mean((2, 3))))  # [N, C/reduction]
        gate: Tensor = self.excite(squeezed).sigmoid()  # [N, C]
        return x * gate[:, :, None, None]
