"""One row of each kind of the table, and what its network answers, in float64."""

from pathlib import Path

import torch

from making import ORIGIN, make_network
from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Manifest, Preprocess
from residua.bundle.store import write_bundle
from residua.zoo.load import export_tensors
from residua.zoo.table import find_row

ROUNDING = 1e-5  # of a probability, over the depth of a network in float32
NARROW = {"widths": (16, 16, 32, 32), "num_classes": 5}
# One row of each kind: plain and deep stem, each shortcut, groups, SE, Res2Net, small images.
KINDS = {
    "ResNet18": NARROW,
    "ResNet50_vc": NARROW,
    "ResNet50_vd": NARROW,
    "SE_ResNet18_vd": NARROW,
    "ResNeXt50_32x4d": {"num_classes": 5},
    "SE_ResNeXt50_vd_32x4d": {"num_classes": 5},
    "Wide_ResNet50_2": NARROW,
    "Res2Net50_26w_4s": {"num_classes": 5, "widths": (64, 64, 64, 64)},
    "Res2Net50_vd_26w_4s": {"num_classes": 5, "widths": (64, 64, 64, 64)},
    "ResNet20": {},
}


def make_kind(path: Path, name: str, *, side: int, shallow=False):
    """Return a bundle of a row for crops of ``side`` pixels, and its network.

    ``shallow`` has each kind of the row's blocks, but two of them at the most one after the other.
    """
    row = find_row(name)
    if shallow:
        row = row.model_copy(update={"depths": (1, 2, 1, 1)[: len(row.depths)]})
    network = make_network(row, **KINDS[name])
    manifest = Manifest(
        architecture=network.row,
        classes=numbered_classes(network.row.num_classes),
        preprocess=Preprocess(crop_size=side, short_side=side),
        provenance=ORIGIN,
    )
    return write_bundle(path, manifest, export_tensors(network)), network


def deploy(network, manifest):
    """The deployed function in float64: normalise, network, temperature, softmax or sigmoid."""

    def run(batch):
        mean = torch.tensor(manifest.preprocess.mean, dtype=torch.float64)[:, None, None]
        std = torch.tensor(manifest.preprocess.std, dtype=torch.float64)[:, None, None]
        x = (torch.from_numpy(batch).permute(0, 3, 1, 2).double() / 255 - mean) / std
        with torch.inference_mode():
            logits = network.double()(x) / manifest.calibration.temperature
        act = logits.softmax(1) if manifest.task == "single-label" else logits.sigmoid()
        return act.numpy()

    return run
