"""Mixup, on the device and by the batch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from residua.data.draws import Purpose, bits


def draw_share(alpha: float, *, seed: int, epoch: int, step: int) -> float:
    """Return the share of the first picture: Beta(alpha, alpha), a pure function of its keys."""
    place = np.array([step], dtype=np.int64)
    key = bits(Purpose.MIX, seed=seed, epoch=epoch, indices=place, count=2)[0]
    return float(np.random.Generator(np.random.Philox(key=key)).beta(alpha, alpha))


def mix(images: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mix each picture with its mirror place in the batch (arXiv 1710.09412, section 2).

    ``images`` float [N, C, H, W] and ``targets`` float [N, classes] become ``share`` times
    themselves plus ``1 - share`` times the batch in reverse. The order of an epoch is random
    already, so reversing pairs at random without another draw.
    """
    mixed_images = torch.lerp(images.flip(0), images, share)
    mixed_targets = torch.lerp(targets.flip(0), targets, share)
    return mixed_images, mixed_targets


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """int64 [N] → float32 [N, num_classes]."""
    return functional.one_hot(labels, num_classes).float()
