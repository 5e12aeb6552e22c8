"""Small things that many tests make: bundles with random weights, pictures of noise."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Manifest, Preprocess, Provenance
from residua.bundle.store import Bundle, write_bundle
from residua.zoo.create import create
from residua.zoo.load import export_tensors
from residua.zoo.resnet import ResNet

ORIGIN = Provenance(created="2026-01-01T00:00:00Z", residua="0", made_by="a test")


def make_network(row="ResNet18", *, seed=0, **options) -> ResNet:
    """A network of random weights whose statistics fit them: its answers are not saturated."""
    network = create(row, seed=seed, **options)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average of all batches
            nn.init.uniform_(module.weight, 0.3, 0.7, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    side = 32 if network.row.stem == "3x3" else 64
    with torch.no_grad():
        network.train()(torch.randn(8, network.row.input_channels, side, side, generator=generator))
    return network.eval()


def make_bundle(
    path: Path, row="ResNet18", *, preprocess: Preprocess | None = None, seed=0, **options
) -> Bundle:
    """A bundle of ``make_network``; crops of 64 pixels unless ``preprocess`` says otherwise."""
    network = make_network(row, seed=seed, **({"num_classes": 5} | options))
    manifest = Manifest(
        architecture=network.row,
        classes=numbered_classes(network.row.num_classes),
        preprocess=preprocess or Preprocess(crop_size=64, short_side=72),
        provenance=ORIGIN,
        licence="Apache-2.0",
    )
    return write_bundle(path, manifest, export_tensors(network))


def save_noise(path: Path, *, seed=0, size=(90, 70)) -> Path:
    """A picture of coloured noise, ``size`` is (width, height), in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path
