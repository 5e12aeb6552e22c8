"""Bundles of random weights to measure with: speed does not depend on their values."""

from pathlib import Path

from residua.bundle.classes import imagenet_classes
from residua.bundle.schema import Manifest, Preprocess, Provenance
from residua.bundle.store import Bundle, write_bundle
from residua.zoo.create import create
from residua.zoo.load import export_tensors


def make_random_bundle(path: Path, model: str) -> Bundle:
    """Write a bundle of ``model`` with freshly drawn weights and the usual preprocessing."""
    network = create(model, seed=0)
    manifest = Manifest(
        architecture=network.row,
        classes=imagenet_classes(),
        preprocess=Preprocess(),
        provenance=Provenance(created="", residua="", made_by="a benchmark"),
    )
    return write_bundle(path, manifest, export_tensors(network), overwrite=True)
