"""Mixup and cutmix, on the device and by the batch.

Rows 2k and 2k + 1 of a batch are partners and mix with each other; a last odd row stays as it is.
The share and the box are the same for the whole batch. So a batch may be cut into any pieces of
whole pairs, for processes or micro-batches, and each piece mixed by itself: the result is the same.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from residua.data.draws import Purpose, bits
from residua.data.settings import MixPart


@dataclass(frozen=True, slots=True)
class Mixture:
    """How a batch is mixed: ``share`` of each row stays its own.

    With ``box`` (left, top, right, bottom; in pixels) that is the area outside of it, exactly.
    """

    share: float
    box: tuple[int, int, int, int] | None = None


def mix(
    pictures: Tensor, targets: Tensor, part: MixPart, *, seed: int, epoch: int, step: int
) -> tuple[Tensor, Tensor]:
    """Mix each row with its partner as is drawn for (seed, epoch, step).

    ``pictures`` is float [N, C, H, W], ``targets`` float [N, classes].
    """
    height, width = pictures.shape[-2:]
    mixture = draw_mixture(part, width, height, seed=seed, epoch=epoch, step=step)
    if mixture is None or len(pictures) < 2:
        return pictures, targets
    if len(pictures) % 2:
        paired, labels = _mix_pairs(pictures[:-1], targets[:-1], mixture)
        return torch.cat((paired, pictures[-1:])), torch.cat((labels, targets[-1:]))
    return _mix_pairs(pictures, targets, mixture)


def _mix_pairs(pictures: Tensor, targets: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    mixed_targets = torch.lerp(_swap(targets), targets, mixture.share)
    if mixture.box is None:
        return torch.lerp(_swap(pictures), pictures, mixture.share), mixed_targets
    left, top, right, bottom = mixture.box
    mixed = pictures.clone()
    mixed[:, :, top:bottom, left:right] = _swap(pictures[:, :, top:bottom, left:right])
    return mixed, mixed_targets


def _swap(rows: Tensor) -> Tensor:
    """Return ``rows`` with partners exchanged; many times as fast as taking them by an index."""
    return rows.reshape(len(rows) // 2, 2, *rows.shape[1:]).flip(1).reshape(rows.shape)


def draw_mixture(
    part: MixPart, width: int, height: int, *, seed: int, epoch: int, step: int
) -> Mixture | None:
    """Return how the batch of ``step`` is mixed, or None where it is not.

    Mixup (arXiv 1710.09412, section 2): the share is drawn from Beta(alpha, alpha). Cutmix (arXiv
    1905.04899, section 3.1 and algorithm A1): so is the area outside a box of the picture's
    proportions around a uniform centre; what of it sticks out is cut off and counted back.
    """
    place = np.array([step], dtype=np.int64)
    words = bits(Purpose.MIX, seed=seed, epoch=epoch, indices=place, count=4)[0]
    coin, switch = (words[2:] >> np.uint64(11)) * 2.0**-53
    if not (part.mixup or part.cutmix) or coin >= part.probability:
        return None
    cuts = part.cutmix > 0 and (part.mixup == 0 or switch < part.switch)
    alpha = part.cutmix if cuts else part.mixup
    share = float(np.random.Generator(np.random.Philox(key=words[:2])).beta(alpha, alpha))
    if not cuts:
        return Mixture(share)
    words = bits(Purpose.MIX_BOX, seed=seed, epoch=epoch, indices=place, count=2)[0]
    across, down = (words >> np.uint64(11)) * 2.0**-53
    side = math.sqrt(1 - share)
    left, right = _cut(width, int(width * side), int(across * width))
    top, bottom = _cut(height, int(height * side), int(down * height))
    covered = (right - left) * (bottom - top) / (width * height)
    return Mixture(1 - covered, (left, top, right, bottom))


def _cut(length: int, side: int, centre: int) -> tuple[int, int]:
    """Return the ends of ``side`` pixels around ``centre`` that lie within ``length``."""
    start = centre - side // 2
    return max(0, start), min(length, start + side)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """int64 [N] → float32 [N, num_classes]; a label below 0 is none and becomes zeros."""
    rows = functional.one_hot(labels.clamp(min=0), num_classes).float()
    return rows * (labels >= 0)[:, None]
