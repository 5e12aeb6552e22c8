"""ONNX: one file with the weights in it, checked, that can be used alone."""

from pathlib import Path

import onnx
from onnx import checker, shape_inference

from residua.bundle.schema import Export, Precision, Takes
from residua.bundle.store import Bundle
from residua.engines.graph.onnx import OPSET, build_model
from residua.engines.graph.onnx_image import take_images
from residua.export.metadata import describe, name_resizer


def write_onnx(bundle: Bundle, folder: Path, precision: Precision, takes: Takes = "crop") -> Export:
    """Write ``model.onnx`` into ``folder``; "fp16" computes in float16, uint8 comes in anyway."""
    model = build_model(bundle.manifest, bundle.tensors(), half=precision == "fp16")
    return save_onnx(model, bundle, folder, precision, takes)


def save_onnx(
    model: onnx.ModelProto,
    bundle: Bundle,
    folder: Path,
    precision: Precision,
    takes: Takes = "crop",
) -> Export:
    """Check ``model``, which takes crops, put resizing before it if need be, and write it."""
    if takes == "image":
        model = take_images(model, bundle.manifest.preprocess)
    for name, text in describe(bundle.manifest, takes).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, text
    checker.check_model(model, full_check=True)
    # Following data through the graph is meant for shapes; it stumbles over formulas of sizes.
    shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=takes == "crop"
    )
    onnx.save(model, folder / "model.onnx")
    return Export(
        format="onnx", precision=precision, entry="model.onnx", files={}, input=takes,
        versions={"onnx": onnx.__version__, "opset": str(OPSET)}
        | name_resizer(bundle.manifest.preprocess, takes),
    )  # fmt: skip
