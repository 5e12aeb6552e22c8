"""ncnn: ``model.param`` with the layers, ``model.bin`` with the weights, ``model.json`` with words.

ncnn has neither uint8 inputs nor batches: what goes in is what ``ncnn::Mat::from_pixels`` makes of
a crop, without means and scales, which are in the network.
"""

from importlib.metadata import version
from pathlib import Path

from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.engines.graph.ncnn import build_model
from residua.export.metadata import save_description


def write_ncnn(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write the files into ``folder``; "fp16" keeps the weights in half of the space."""
    layers, weights = build_model(bundle.manifest, bundle.tensors(), half=precision == "fp16")
    (folder / "model.param").write_text(layers, encoding="utf-8")
    (folder / "model.bin").write_bytes(weights)
    save_description(bundle.manifest, folder)
    return Export(
        format="ncnn", precision=precision, entry="model.param", files={}, pixels="float32",
        layout="NCHW", batch=1, versions={"ncnn": version("ncnn")},
        notes=("Input image: Mat::from_pixels(…) of a crop; output probabilities.",),
    )  # fmt: skip
