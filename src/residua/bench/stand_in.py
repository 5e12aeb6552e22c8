"""A bundle of random weights that behaves like a trained one, to measure speed and parity with."""

from pathlib import Path

import numpy as np

from residua.base.version import __version__
from residua.bundle.classes import imagenet_classes, numbered_classes
from residua.bundle.schema import Architecture, Manifest, Preprocess, Provenance
from residua.bundle.store import Bundle, write_bundle
from residua.engines.probes import make_probes

# Logits of a fresh classifier hardly differ; a trained one's do, and so show wrong answers.
_HEAD_SCALE = 6.0
# The last normalisation of a block: with 1 every layer multiplies the error of the one before, and
# bfloat16 turns answers upside down, as it does not those of trained networks.
_BRANCH_SCALE = 0.05


def make_stand_in(path: Path, row: Architecture, preprocess: Preprocess | None = None) -> Bundle:
    """Write a bundle of ``row`` with random weights at ``path``; one that is there is replaced.

    The statistics of its normalisations are those of the probes, so that values neither grow nor
    vanish over the layers: float16 would overflow and every answer be certain.
    """
    import torch
    from torch import nn

    from residua.zoo.block import ResidualBlock
    from residua.zoo.create import create
    from residua.zoo.load import export_tensors

    small = row.stem == "3x3"
    sizes = {"crop_size": 32, "short_side": 32} if small else {}
    preprocess = preprocess or Preprocess(**sizes)
    network = create(row, seed=0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches: of the one below
        if isinstance(module, ResidualBlock):
            nn.init.constant_(module.last_norm.weight, _BRANCH_SCALE)
    seen = preprocess.model_copy(update={"crop_size": 32 if small else 64})
    crops = make_probes(seen).transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (seen.mean, seen.std))
    with torch.no_grad():
        network.train()(torch.from_numpy((crops - mean) / std))
    tensors = export_tensors(network)
    tensors["head.weight"] = tensors["head.weight"] * np.float32(_HEAD_SCALE)
    classes = imagenet_classes()
    if row.num_classes != len(classes):
        classes = numbered_classes(row.num_classes)
    manifest = Manifest(
        architecture=row,
        classes=classes,
        preprocess=preprocess,
        provenance=Provenance(
            created="", residua=__version__, made_by="residua bench", notes=("random weights",)
        ),
    )
    return write_bundle(path, manifest, tensors, overwrite=True)
