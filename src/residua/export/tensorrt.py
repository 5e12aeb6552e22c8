"""TensorRT: an engine file for this GPU, built of the ONNX graph with its types as they stand.

Written from TensorRT's documentation: networks are strongly typed (the only kind from release 11
on), so "fp16" is a float16 graph, and float32 is kept from being rounded to TF32.
"""

from pathlib import Path

import tensorrt as trt
import torch

from residua.base.errors import EngineError, SettingError
from residua.bundle.schema import Export, Precision
from residua.bundle.store import Bundle
from residua.engines.graph.onnx import build_model
from residua.export.metadata import save_description

LARGEST_BATCH = 32
_BEST_BATCH = 8


def write_tensorrt(bundle: Bundle, folder: Path, precision: Precision) -> Export:
    """Write ``model.engine`` into ``folder``, for batches of 1 to ``LARGEST_BATCH`` crops.

    Raises SettingError where there is no GPU, EngineError where TensorRT refuses the graph.
    """
    if not torch.cuda.is_available():
        raise SettingError(
            "TensorRT builds on the GPU that it builds for, and torch finds none.",
            next_step="Run this on the machine that shall run it; ONNX goes there: --format onnx",
        )
    model = build_model(bundle.manifest, bundle.tensors(), half=precision == "fp16")
    plan = _build(model.SerializeToString(), bundle)
    (folder / "model.engine").write_bytes(plan)
    save_description(bundle.manifest, folder)
    gpu = torch.cuda.get_device_name()
    return Export(
        format="tensorrt", precision=precision, entry="model.engine", files={},
        versions={"tensorrt": trt.__version__},
        notes=(
            f"For {gpu} and TensorRT {trt.__version__} only.",
            f"Batches of 1 to {LARGEST_BATCH}; more are run one after the other.",
        ),
    )  # fmt: skip


def _build(content: bytes, bundle: Bundle) -> bytes:
    """Return the serialised engine of an ONNX graph."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)  # release 11 ignores it
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(content):
        complaints = [str(parser.get_error(index)) for index in range(parser.num_errors)]
        raise EngineError("TensorRT does not read the ONNX graph: " + "; ".join(complaints))
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    side, channels = bundle.manifest.preprocess.crop_size, bundle.manifest.preprocess.channels
    profile = builder.create_optimization_profile()
    sizes = (1, _BEST_BATCH, LARGEST_BATCH)
    profile.set_shape("image", *((size, side, side, channels) for size in sizes))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT {trt.__version__} could not build an engine of the graph.")
    return bytes(plan)
