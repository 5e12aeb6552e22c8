"""Erasing, on the device and by the batch: parts of pictures are hidden as drawn for each ticket.

Random erasing, Cutout, GridMask and Hide-and-Seek; ``masks`` says what each hides. A picture's
mask depends on nothing but (seed, epoch, ticket), so a batch may be cut into any pieces.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from residua.data.augment.masks import count_numbers, make_mask
from residua.data.draws import Purpose, bits
from residua.data.settings import ErasePart

_BITS = 23  # of a noise value: as many as float32 holds on either side of zero


def erase(
    pictures: Tensor,
    part: ErasePart,
    *,
    seed: int,
    epoch: int,
    tickets: NDArray[np.int64],
) -> Tensor:
    """Return the pictures (float [N, C, H, W]) with some of their pixels replaced.

    The pictures are normalised, so 0 is the mean colour; noise is standard normal, a value for
    each pixel and channel. ``tickets`` (int64 [N]) are those of the rows.
    """
    probability = part.probability
    if part.kind == "gridmask" and part.ramp_epochs:
        probability *= min(1.0, epoch / part.ramp_epochs)
    height, width = pictures.shape[-2:]
    count = 2 + count_numbers(part, width, height)
    words = bits(Purpose.ERASE, seed=seed, epoch=epoch, indices=tickets, count=count)
    numbers = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    hit = numbers[:, 0] < probability
    if part.kind == "none" or not hit.any():
        return pictures
    device = pictures.device
    mask = make_mask(part, numbers[:, 2:], width, height, device)
    mask &= torch.from_numpy(hit).to(device, non_blocking=True)[:, None, None]
    mask = mask[:, None]  # [N, 1, H, W]
    if part.kind != "erasing" or part.fill == "mean":
        return pictures * ~mask  # where and masked_fill take three times as long on processors
    rows = torch.from_numpy(np.flatnonzero(hit)).to(device, non_blocking=True)
    noise = make_noise(words[hit, 1], tuple(pictures.shape[1:]), device).to(pictures.dtype)
    erased = pictures.clone()
    erased[rows] = torch.where(mask[rows], noise, pictures[rows])
    return erased


def make_noise(keys: NDArray[np.uint64], shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return standard normal numbers, a function of ``keys`` (uint64 [N]): float32 [N, *shape].

    They are made on the device, by the same generator as ``draws.scramble`` in signed numbers.
    """
    states = torch.from_numpy(keys.view(np.int64)).to(device, non_blocking=True)[:, None]
    steps = torch.arange(math.prod(shape), device=device) * _signed(0x9E3779B97F4A7C15)
    words = _scramble_in_place(states + steps)
    whole = _shift(words, 64 - _BITS)
    # The middles of 2^23 equal steps, so that neither end is infinite.
    uniform = whole.mul_(2).add_(1 - 2**_BITS).float().mul_(2.0**-_BITS)  # in -1…1
    noise: Tensor = uniform.erfinv_().mul_(math.sqrt(2)).reshape(-1, *shape)
    return noise


def _scramble_in_place(z: Tensor) -> Tensor:
    """As ``draws.scramble``, on int64: multiplication modulo 2^64 knows no sign."""
    z += _signed(0x9E3779B97F4A7C15)
    z ^= _shift(z, 30)
    z *= _signed(0xBF58476D1CE4E5B9)
    z ^= _shift(z, 27)
    z *= _signed(0x94D049BB133111EB)
    z ^= _shift(z, 31)
    return z


def _shift(words: Tensor, places: int) -> Tensor:
    """Shift right and fill with zeros, which torch does for unsigned numbers only."""
    return (words >> places).bitwise_and_(2 ** (64 - places) - 1)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
