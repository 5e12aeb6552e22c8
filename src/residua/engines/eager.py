"""PyTorch: the engine that is always there, and the one for GPUs."""

import numpy as np
import torch

from residua.bundle.store import Bundle
from residua.pixels.graph import Deployed
from residua.zoo.load import load_network


class TorchEngine:
    """The network as a torch module, channels last, in float32."""

    def __init__(self, bundle: Bundle, *, device: str = "cpu", threads: int | None = None) -> None:
        """Load the bundle's network onto ``device``; ``threads`` sets torch's for this process."""
        if threads is not None:
            torch.set_num_threads(threads)
        manifest = bundle.manifest
        network = load_network(bundle)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
        deployed = Deployed(network, manifest.preprocess, manifest.calibration, manifest.task)
        self._device = torch.device(device)
        self._deployed = deployed.eval().to(self._device)
        self.lanes = 1
        self.good_batch = 8 if self._device.type == "cpu" else 64

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"torch float32 on {self._device}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            probabilities: np.ndarray = self._deployed(images).float().cpu().numpy()
            return probabilities
