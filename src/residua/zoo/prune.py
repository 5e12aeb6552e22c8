"""Structured pruning: whole channels inside the blocks taken out, the least important first.

A channel inside a block is made by one filter and used by the next convolution. Its importance is
the norm of that filter, with its batch normalisation folded in, times the norm of the weights that
use it: no more than that can be missing from what the next layer adds up. What blocks give out
stays, so shortcuts, attention and classifier are as before. Grouped convolutions lose as many
channels in every group; Res2Net's branches, which are added to one another, lose the same ones.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture

Tensors = dict[str, np.ndarray]
_EPSILON = 1e-5  # of every batch normalisation of the series
_WIDE = 32  # channels from which vector instructions like multiples of _STEP
_STEP = 8


def prune(
    row: Architecture, tensors: Mapping[str, np.ndarray], share: float
) -> tuple[Architecture, Tensors]:
    """Return the row and the tensors with about ``share`` of the channels inside blocks gone.

    ``tensors`` are named as in a bundle. Raises SettingError where ``share`` is not in 0…1.
    """
    if not 0 < share < 1:
        raise SettingError(
            f"A share of {share:g} of the channels cannot be pruned.",
            next_step="Give one between 0 and 1: --prune 0.3",
        )
    left = dict(tensors)
    widths = []
    for name, inner in zip(list_blocks(row), row.list_inner_widths(), strict=True):
        kept = count_kept(inner // row.units, share)
        prune_block = {"basic": _prune_basic, "bottleneck": _prune_bottleneck}.get(
            row.block, _prune_res2net
        )
        prune_block(left, name, row.units, kept)
        widths.append(kept * row.units)
    # model_copy does not check what it is given.
    pruned = Architecture.model_validate(row.model_dump() | {"inner_widths": tuple(widths)})
    return pruned, left


def list_blocks(row: Architecture) -> Iterator[str]:
    """Yield the names of the blocks from input to output: "stages.0.0" and so on."""
    for stage, depth in enumerate(row.depths):
        yield from (f"stages.{stage}.{index}" for index in range(depth))


def count_kept(width: int, share: float) -> int:
    """Return how many of ``width`` channels stay: at least one, of many a multiple of 8.

    >>> [count_kept(width, 0.3) for width in (1, 4, 26, 64, 128)]
    [1, 3, 18, 48, 88]
    """
    kept = width * (1 - share)
    if width >= _WIDE:
        return min(width, max(_STEP, round(kept / _STEP) * _STEP))
    return min(width, max(1, round(kept)))


def _prune_basic(tensors: Tensors, name: str, units: int, kept: int) -> None:
    del units  # a basic block has no groups
    first, second = f"{name}.conv0", f"{name}.conv1"
    keep = _choose(_filters(tensors, first) * _uses(tensors, second), 1, kept)
    _keep_outputs(tensors, first, keep)
    _keep_inputs(tensors, second, keep)


def _prune_bottleneck(tensors: Tensors, name: str, groups: int, kept: int) -> None:
    reduce, middle, expand = (f"{name}.conv{index}" for index in range(3))
    before = _filters(tensors, reduce) * _uses(tensors, middle, groups)
    after = _filters(tensors, middle) * _uses(tensors, expand)
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


def _prune_res2net(tensors: Tensors, name: str, scale: int, kept: int) -> None:
    reduce, expand = f"{name}.conv0", f"{name}.conv2"
    branches = [f"{name}.split.{index}" for index in range(scale - 1)]
    made = _filters(tensors, reduce).reshape(scale, -1)
    used = _uses(tensors, expand).reshape(scale, -1)
    importance = made[-1] * used[-1]
    for index, branch in enumerate(branches):
        importance = importance + made[index] * _uses(tensors, branch)
        importance = importance + _filters(tensors, branch) * used[index]
    keep = _choose(importance, 1, kept)
    everywhere = (np.arange(scale)[:, None] * made.shape[1] + keep).ravel()
    _keep_outputs(tensors, reduce, everywhere)
    for branch in branches:
        _keep_outputs(tensors, branch, keep)
        _keep_inputs(tensors, branch, keep)
    _keep_inputs(tensors, expand, everywhere)


def _filters(tensors: Tensors, name: str) -> np.ndarray:
    """Return the norm of each filter with its batch normalisation folded in, float64 [O]."""
    weight = tensors[f"{name}.conv.weight"].astype(np.float64)
    variance = tensors[f"{name}.norm.running_var"].astype(np.float64)
    scale = np.abs(tensors[f"{name}.norm.weight"]) / np.sqrt(variance + _EPSILON)
    norms: np.ndarray = np.sqrt(np.square(weight).sum((1, 2, 3))) * scale
    return norms


def _uses(tensors: Tensors, name: str, groups: int = 1) -> np.ndarray:
    """Return the norm of the weights that use each input, float64 [I]."""
    weight = tensors[f"{name}.conv.weight"].astype(np.float64)  # [O, I/groups, k, k]
    parts = np.square(weight).sum((2, 3)).reshape(groups, -1, weight.shape[1])
    norms: np.ndarray = np.sqrt(parts.sum(1)).ravel()
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
