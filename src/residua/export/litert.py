"""LiteRT (TensorFlow Lite): one .tflite file, written without TensorFlow."""

from importlib.metadata import version
from pathlib import Path

from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.engines.graph.litert import build_model
from residua.export.metadata import describe


def write_litert(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.tflite`` into ``folder``; "fp16" keeps the weights in half of the space."""
    model = build_model(
        bundle.manifest, bundle.tensors(), half=precision == "fp16",
        texts=describe(bundle.manifest),
    )  # fmt: skip
    (folder / "model.tflite").write_bytes(model)
    return Export(
        format="litert", precision=precision, entry="model.tflite", files={},
        versions={"ai-edge-litert": version("ai-edge-litert")},
        notes=("One picture at a time until the input is resized to [N, …].",),
    )  # fmt: skip
