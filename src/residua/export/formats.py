"""The formats by name: what each needs, what it can hold, which engine runs it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format. ``libraries`` write it, the ``extra`` brings them; ``engine`` runs it here.

    ``images`` tells that it can hold resizing and cropping too (``--input image``). Without an
    engine (``None``) an artefact can be made but not run on this system. A model repository
    ``holds`` a model of another format.
    """

    title: str
    libraries: tuple[str, ...]
    extra: str
    engine: str | None
    precisions: tuple[str, ...] = ("fp32",)
    images: bool = False
    holds: str | None = None


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        "ONNX, one file", ("onnx", "onnxruntime"), "export", "onnxruntime",
        ("fp32", "fp16", "int8"), images=True,
    ),
    "openvino": Format(
        "OpenVINO IR", ("openvino",), "all", "openvino", ("fp32", "fp16", "int8"), images=True
    ),
    "triton": Format(
        "Triton model repository, of ONNX", ("onnx", "onnxruntime"), "export", "onnxruntime",
        ("fp32", "fp16", "int8"), images=True, holds="onnx",
    ),
    "ovms": Format(
        "OpenVINO Model Server's, of OpenVINO", ("openvino",), "all", "openvino",
        ("fp32", "fp16", "int8"), images=True, holds="openvino",
    ),
    "torch": Format("torch.export program", ("torch",), "all", "torch"),
    "aoti": Format("AOTInductor package", ("torch",), "all", "aoti"),
    "ncnn": Format("ncnn", ("ncnn",), "mobile", "ncnn", ("fp32", "fp16")),
    "mnn": Format("MNN", ("MNN", "onnx"), "mobile", "mnn", ("fp32", "fp16")),
    "litert": Format(
        "LiteRT (TensorFlow Lite)", ("ai_edge_litert", "flatbuffers"), "mobile", "litert",
        ("fp32", "fp16"),
    ),
    "executorch": Format("ExecuTorch, XNNPACK", ("executorch",), "executorch", "executorch"),
    "coreml": Format("Core ML package", ("coremltools",), "coreml", None, ("fp32", "fp16")),
    "tensorrt": Format(
        "TensorRT engine", ("tensorrt", "onnx"), "tensorrt", "tensorrt", ("fp32", "fp16")
    ),
}  # fmt: skip
