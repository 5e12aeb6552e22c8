"""Networks made from a row of the table, with the options that every row takes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture
from residua.bundle.store import Bundle
from residua.zoo.block import BasicBlock, Bottleneck, SplitBottleneck
from residua.zoo.load import export_tensors, load_tensors
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import adapt_channels
from residua.zoo.table import find_row


def create(
    row: Architecture | str,
    *,
    weights: str | Path | None = None,
    num_classes: int | None = None,
    input_channels: int | None = None,
    small_images: bool = False,
    drop_path: float | None = None,
    widths: Sequence[int] | None = None,
    zero_gamma: bool = False,
    seed: int | None = None,
) -> ResNet:
    """Return a network of ``row`` in training mode, freshly initialised or with ``weights``.

    Args:
        row: a row of the table, or its name in any spelling (UnknownNameError offers the nearest).
        weights: a name ("ResNet50_vd_ssld"), a bundle or a weight file to start from. The
            classifier is drawn afresh if ``num_classes`` differs, the first convolution adapted
            to ``input_channels`` (see ``zoo.surgery.adapt_channels``), blocks are as wide inside
            as in a pruned bundle; all else must fit, or WeightsMismatchError says what differs.
        num_classes: outputs of the classifier; by default the row's.
        input_channels: 3 for RGB, 1 for grey, 4 for RGBA, or any number.
        small_images: replace the stem by one 3x3 convolution of stride 1 without max pool, for
            pictures of about 32 to 96 pixels.
        drop_path: probability of dropping the last block's branch, rising linearly from 0 at the
            first (stochastic depth).
        widths: widths of the stages, to make a row narrower or wider.
        zero_gamma: start the last normalisation of each block at 0, so that every block begins as
            the identity (arXiv 1706.02677, section 5.1).
        seed: draws the weights from a generator of their own; None uses torch's.
    """
    row = find_row(row) if isinstance(row, str) else row
    said = {"num_classes": num_classes, "input_channels": input_channels, "drop_path": drop_path}
    changes: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    if widths is not None:
        changes |= {"widths": tuple(widths), "inner_widths": ()}
    if small_images and row.stem != "3x3":
        changes |= {"stem": "3x3", "stem_widths": (row.stem_widths[-1],)}
    bundle = None if weights is None else _open(weights)
    if bundle is not None and widths is None:
        changes |= _take_inner_widths(row, bundle.manifest.architecture)
    # model_copy does not validate, so the changed row is read afresh.
    try:
        row = Architecture.model_validate(row.model_dump() | changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the options"
        raise SettingError(f"{row.name} cannot be made so: {place}: {first['msg']}.") from error
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        network = ResNet(row)
        initialise(network, zero_gamma=zero_gamma)
    if bundle is not None:
        _start_from(network, bundle)
    return network


def _open(weights: str | Path) -> Bundle:
    from residua.zoo.weights.resolve import open_bundle

    return open_bundle(weights)


def _take_inner_widths(row: Architecture, given: Architecture) -> dict[str, Any]:
    """Return the inner widths of a pruned row for the same row before pruning."""
    same = (row.block, row.depths, row.units) == (given.block, given.depths, given.units)
    return {"inner_widths": given.inner_widths} if same and not row.inner_widths else {}


def _start_from(network: ResNet, bundle: Bundle) -> None:
    """Put the tensors of ``bundle`` into ``network``, fitted to its channels and classes."""
    tensors = adapt_channels(bundle.tensors(), network.row.input_channels)
    head = {name: a for name, a in export_tensors(network).items() if name.startswith("head.")}
    if tensors["head.bias"].shape != head["head.bias"].shape:
        tensors |= head
    load_tensors(network, tensors)


def initialise(network: ResNet, *, zero_gamma: bool = False) -> None:
    """Draw all weights afresh, as PaddleClas does.

    Convolutions: Kaiming normal of the fan-in; linear layers: uniform in ±1/sqrt(inputs), bias 0;
    normalisations: scale 1, shift 0 (reference: Paddle's Conv2D default and
    ``legendary_models/resnet.py``).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    if zero_gamma:
        for module in network.modules():
            if isinstance(module, BasicBlock | Bottleneck | SplitBottleneck):
                nn.init.zeros_(module.last_norm.weight)
