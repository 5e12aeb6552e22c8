"""ResNet-18 with torchvision's tensor names in twenty lines: a reference that shares no code."""

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional


class PlainResNet18:
    def __init__(self, path):
        self.tensors = {name: tensor.float() for name, tensor in load_file(path).items()}

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """uint8 [N, 224, 224, 3] → probabilities [N, 1000], as golden.json says."""
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        image = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            return self._logits((image - mean) / std).softmax(1).numpy()

    def _norm(self, x, name):
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(self.tensors[f"{name}.{key}"] for key in names))

    def _conv(self, x, name, **options):
        return functional.conv2d(x, self.tensors[f"{name}.weight"], **options)

    def _logits(self, x):
        x = functional.relu(self._norm(self._conv(x, "conv1", stride=2, padding=3), "bn1"))
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage in range(1, 5):
            for block in range(2):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                y = self._conv(x, f"{name}.conv1", stride=stride, padding=1)
                y = functional.relu(self._norm(y, f"{name}.bn1"))
                y = self._norm(self._conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
                if stride == 2:
                    x = self._conv(x, f"{name}.downsample.0", stride=2)
                    x = self._norm(x, f"{name}.downsample.1")
                x = functional.relu(x + y)
        return functional.linear(x.mean((2, 3)), self.tensors["fc.weight"], self.tensors["fc.bias"])
