"""OpenVINO IR: ``model.xml`` with the graph and ``model.bin`` with the weights."""

from pathlib import Path

import openvino as ov

from residua.bundle.schema import Export, Precision, Takes
from residua.bundle.store import Bundle
from residua.engines.graph.openvino import build_model
from residua.engines.graph.openvino_image import take_images
from residua.export.metadata import describe, name_resizer


def write_openvino(
    bundle: Bundle, folder: Path, precision: Precision, takes: Takes = "crop"
) -> Export:
    """Write the graph into ``folder``; "fp16" keeps the weights in half of the space."""
    model = build_model(bundle.manifest, bundle.tensors())
    return save_openvino(model, bundle, folder, precision, takes)


def save_openvino(
    model: ov.Model,
    bundle: Bundle,
    folder: Path,
    precision: Precision,
    takes: Takes = "crop",
) -> Export:
    """Add the metadata and write ``model``, which takes crops, with resizing before if need be."""
    if takes == "image":
        model = take_images(model, bundle.manifest.preprocess)
    for name, text in describe(bundle.manifest, takes).items():
        model.set_rt_info(text, ["residua", name])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=precision == "fp16")
    return Export(
        format="openvino", precision=precision, entry="model.xml", files={}, input=takes,
        versions={"openvino": ov.get_version()}
        | name_resizer(bundle.manifest.preprocess, takes),
    )  # fmt: skip
