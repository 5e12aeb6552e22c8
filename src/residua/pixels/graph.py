"""The part of preprocessing that lives inside the network: uint8 crops in, probabilities out."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from residua.bundle.schema import Calibration, Preprocess


class Normalize(nn.Module):
    """uint8 [N, H, W, C] → float32 [N, C, H, W], ``(x / 255 - mean) / std``, channels last.

    The three steps are one multiplication and one addition per value; the difference to doing them
    one after the other is below 1e-6. Nothing is copied for the order of axes: [N, H, W, C] is
    torch's channels-last memory format of [N, C, H, W].
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """``mean`` and ``std`` of each channel, of values in 0…1."""
        super().__init__()
        self.scale: Tensor
        self.shift: Tensor
        spread = torch.tensor(std, dtype=torch.float64)
        centre = torch.tensor(mean, dtype=torch.float64)
        shape = (1, len(spread), 1, 1)
        # Not persistent: bundle.json holds these numbers, the weight file only weights.
        self.register_buffer("scale", (1 / (255 * spread)).float().view(shape), persistent=False)
        self.register_buffer("shift", (-centre / spread).float().view(shape), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Normalise a batch of crops."""
        return image.permute(0, 3, 1, 2).float() * self.scale + self.shift


class Deployed(nn.Module):
    """The network as every engine and export runs it: uint8 [N, H, W, C] → probabilities.

    The probabilities are float32 [N, classes]: the softmax of the logits divided by the calibrated
    temperature, or their sigmoid, each class by itself, where several labels may hold at once.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        calibration: Calibration | None = None,
        task: Literal["single-label", "multi-label"] = "single-label",
        *,
        compute: torch.dtype = torch.float32,
    ) -> None:
        """Wrap ``network`` (float [N, C, H, W] → logits [N, classes]), which is not copied.

        ``compute`` is the type that the network's parameters have; normalising and the softmax are
        float32 in any case.
        """
        super().__init__()
        self.compute = compute
        self.normalize = Normalize(preprocess.mean, preprocess.std)
        self.network = network
        self.inverse_temperature = 1 / (calibration or Calibration()).temperature
        self.task = task

    def forward(self, image: Tensor) -> Tensor:
        """Return the probabilities of a batch of crops."""
        logits: Tensor = self.network(self.normalize(image).to(self.compute))
        scaled = logits.float() * self.inverse_temperature
        return scaled.softmax(dim=1) if self.task == "single-label" else scaled.sigmoid()
