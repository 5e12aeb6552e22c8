"""Structured pruning: whole channels inside the blocks taken out, the least important first.

A channel inside a block is made by one filter and used by the next convolution. Its importance is
the root mean square of what the filter gives times the norm of the weights that use it, with their
normalisation folded in. What it gives is known without pictures: a normalisation ends in a mean
(its bias) and a standard deviation (its weight), of which the rectified normal distribution follows
(LOG.md compares it with the norm of the filter). What blocks give out stays, so shortcuts,
attention and classifier are as before. Grouped convolutions lose as many channels in every group;
Res2Net's branches, which are added to one another, lose the same ones.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture

Tensors = dict[str, np.ndarray]
_EPSILON = 1e-5  # of every batch normalisation of the series
_LEAST = 1e-12  # of a deviation, which may be 0
_WIDE = 32  # channels from which vector instructions like multiples of _STEP
_STEP = 8


def prune(
    row: Architecture, tensors: Mapping[str, np.ndarray], share: float
) -> tuple[Architecture, Tensors]:
    """Return the row and the tensors with about ``share`` of the channels inside blocks gone.

    ``tensors`` are named as in a bundle, and are not changed. Raises SettingError where ``share``
    is not between 0 and 1, or so small that nothing would go.
    """
    if not 0 < share < 1:
        raise SettingError(
            f"A share of {share:g} of the channels cannot be pruned.",
            next_step="Give one between 0 and 1: --prune 0.3",
        )
    given = row.list_inner_widths()
    kept = tuple(count_kept(inner // row.units, share) for inner in given)
    widths = tuple(count * row.units for count in kept)
    if widths == given:
        raise SettingError(
            f"A share of {share:g} of the {min(given)} to {max(given)} channels inside the blocks "
            "is not one that could go: wide ones stay multiples of 8.",
            next_step="Give a larger share: --prune 0.3",
        )
    left = dict(tensors)
    for (stage, index), count in zip(list_blocks(row), kept, strict=True):
        name = f"stages.{stage}.{index}"
        match row.block:
            case "basic":
                _prune_basic(left, name, count)
            case "bottleneck":
                _prune_bottleneck(left, name, row.groups, count)
            case "res2net":
                _prune_res2net(left, name, row.scale, count, apart=stage > 0 and index == 0)
    # model_copy does not check what it is given.
    return Architecture.model_validate(row.model_dump() | {"inner_widths": widths}), left


def list_blocks(row: Architecture) -> Iterator[tuple[int, int]]:
    """Yield stage and number of each block, from input to output."""
    for stage, depth in enumerate(row.depths):
        yield from ((stage, index) for index in range(depth))


def count_kept(width: int, share: float) -> int:
    """Return how many of ``width`` channels stay: at least one, of many a multiple of 8.

    >>> [count_kept(width, 0.3) for width in (1, 4, 26, 64, 128)]
    [1, 3, 18, 48, 88]
    """
    kept = width * (1 - share)
    if width >= _WIDE:
        return min(width, max(_STEP, round(kept / _STEP) * _STEP))
    return min(width, max(1, round(kept)))


def _prune_basic(tensors: Tensors, name: str, kept: int) -> None:
    first, second = f"{name}.conv0", f"{name}.conv1"
    keep = _choose(_outputs(tensors, first) * _uses(tensors, second), 1, kept)
    _keep_outputs(tensors, first, keep)
    _keep_inputs(tensors, second, keep)


def _prune_bottleneck(tensors: Tensors, name: str, groups: int, kept: int) -> None:
    reduce, middle, expand = (f"{name}.conv{index}" for index in range(3))
    before = _outputs(tensors, reduce) * _uses(tensors, middle, groups)
    after = _outputs(tensors, middle) * _uses(tensors, expand)
    keep_in, keep_out = _choose(before, groups, kept), _choose(after, groups, kept)
    weight = tensors[f"{middle}.conv.weight"]  # [O, I/groups, 3, 3]
    inside = keep_in.reshape(groups, kept) % weight.shape[1]  # places within each group
    parts = zip(keep_out.reshape(groups, kept), inside, strict=True)
    _keep_outputs(tensors, reduce, keep_in)
    _keep_outputs(tensors, middle, keep_out)
    tensors[f"{middle}.conv.weight"] = np.concatenate(
        [weight[outputs][:, inputs] for outputs, inputs in parts]
    )
    _keep_inputs(tensors, expand, keep_out)


def _prune_res2net(tensors: Tensors, name: str, scale: int, kept: int, *, apart: bool) -> None:
    reduce, expand = f"{name}.conv0", f"{name}.conv2"
    branches = [f"{name}.split.{index}" for index in range(scale - 1)]
    parts = _outputs(tensors, reduce).reshape(scale, -1)
    used = _uses(tensors, expand).reshape(scale, -1)
    importance = np.square(parts[-1] * used[-1])  # squared, over all that use a channel
    result = np.zeros_like(importance)  # of the branch before, which is added unless apart
    for index, branch in enumerate(branches):
        taken = parts[index] if apart else parts[index] + result
        result = _outputs(tensors, branch)
        importance += np.square(taken * _uses(tensors, branch)) + np.square(result * used[index])
    keep = _choose(importance, 1, kept)
    everywhere = (np.arange(scale)[:, None] * parts.shape[1] + keep).ravel()
    _keep_outputs(tensors, reduce, everywhere)
    for branch in branches:
        _keep_outputs(tensors, branch, keep)
        _keep_inputs(tensors, branch, keep)
    _keep_inputs(tensors, expand, everywhere)


def _outputs(tensors: Tensors, name: str) -> np.ndarray:
    """Return the root mean square of each rectified output, float64 [O].

    Of max(z, 0) with z normal of mean b and deviation g the mean square is
    (b² + g²) P(b/g) + b g p(b/g), P being the normal distribution and p its density.
    """
    bias = tensors[f"{name}.norm.bias"].astype(np.float64)
    deviation = np.maximum(np.abs(tensors[f"{name}.norm.weight"].astype(np.float64)), _LEAST)
    ratio = bias / deviation
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in ratio])
    density = np.exp(-np.square(ratio) / 2) / math.sqrt(2 * math.pi)
    square = (np.square(bias) + np.square(deviation)) * below + bias * deviation * density
    root: np.ndarray = np.sqrt(np.maximum(square, 0))
    return root


def _uses(tensors: Tensors, name: str, groups: int = 1) -> np.ndarray:
    """Return the norm of the weights that use each input, float64 [I]."""
    weight = tensors[f"{name}.conv.weight"].astype(np.float64)  # [O, I/groups, k, k]
    variance = tensors[f"{name}.norm.running_var"].astype(np.float64)
    scale = np.square(tensors[f"{name}.norm.weight"].astype(np.float64)) / (variance + _EPSILON)
    squares = np.square(weight).sum((2, 3)) * scale[:, None]
    norms: np.ndarray = np.sqrt(squares.reshape(groups, -1, weight.shape[1]).sum(1)).ravel()
    return norms


def _choose(importance: np.ndarray, groups: int, kept: int) -> np.ndarray:
    """Return the places of the most important ``kept`` channels of each group, rising."""
    width = len(importance) // groups
    order = np.argsort(-importance.reshape(groups, width), axis=1, kind="stable")[:, :kept]
    places: np.ndarray = (np.sort(order, axis=1) + np.arange(groups)[:, None] * width).ravel()
    return places


def _keep_outputs(tensors: Tensors, name: str, keep: np.ndarray) -> None:
    for part in ("conv.weight", "norm.weight", "norm.bias", "norm.running_mean"):
        tensors[f"{name}.{part}"] = tensors[f"{name}.{part}"][keep]
    tensors[f"{name}.norm.running_var"] = tensors[f"{name}.norm.running_var"][keep]


def _keep_inputs(tensors: Tensors, name: str, keep: np.ndarray) -> None:
    tensors[f"{name}.conv.weight"] = tensors[f"{name}.conv.weight"][:, keep]
