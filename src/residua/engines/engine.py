"""What every engine offers, and how one is asked for."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np

from residua.base.errors import EngineError
from residua.bundle.exports import open_export
from residua.bundle.schema import Export
from residua.bundle.store import Bundle

Hint = Literal["latency", "throughput"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What an engine is to run, and how.

    Without ``export`` it runs the bundle's own weights. ``threads`` None means all cores; ``hint``
    says whether one run shall be quick or many under way at the same time.
    """

    bundle: Bundle
    precision: str = "fp32"
    export: Export | None = None
    device: str = "cpu"
    threads: int | None = None
    hint: Hint = "latency"
    verified: Future[Path] | None = field(default=None, compare=False, repr=False)

    def verify_ahead(self) -> Self:
        """Return the same, its export being verified in a thread while a library is imported."""
        if self.export is None:
            return self
        thread = ThreadPoolExecutor(1, "verify")
        future = thread.submit(open_export, self.bundle, self.export)
        thread.shutdown(wait=False)
        return replace(self, verified=future)

    def open_export(self) -> tuple[Path, Export]:
        """Return the verified file of the export and its record, for engines that need one.

        Raises EngineError where there is none, BundleDamagedError where a file differs.
        """
        if self.export is None:
            raise EngineError(f"{self.bundle.path} was given to an engine that runs exports only.")
        if self.verified is not None:
            return self.verified.result(), self.export
        return open_export(self.bundle, self.export), self.export


@runtime_checkable
class Engine(Protocol):
    """A network ready to run. ``run`` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Runtime, precision and device in words, as "openvino fp32 on the processor"."""
        ...

    @property
    def lanes(self) -> int:
        """How many calls of ``run`` it pays to have under way at the same time."""
        ...

    @property
    def good_batch(self) -> int:
        """The batch size from which larger ones gain little on this device."""
        ...

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """One engine by name: the library it needs, the extra that brings it, what it can run.

    ``format`` is the export that it runs; ``weights`` tells that it also runs a bundle that has
    none; ``devices`` and ``precisions`` what it takes.
    """

    library: str
    extra: str
    format: str
    weights: bool = False
    devices: tuple[str, ...] = ("cpu",)
    precisions: tuple[str, ...] = ("fp32",)


RUNTIMES: Mapping[str, Runtime] = {
    "openvino": Runtime(
        "openvino", "all", "openvino", weights=True, precisions=("fp32", "bf16", "fp16", "int8")
    ),
    "onnxruntime": Runtime(
        "onnxruntime", "export", "onnx", weights=True, precisions=("fp32", "fp16", "int8")
    ),
    "torch": Runtime(
        "torch", "all", "torch", weights=True, devices=("cpu", "cuda"),
        precisions=("fp32", "bf16", "fp16"),
    ),
    "torch-compiled": Runtime(
        "torch", "all", "torch", weights=True, devices=("cpu", "cuda"),
        precisions=("fp32", "bf16", "fp16"),
    ),
    "torch-cudagraph": Runtime(
        "torch", "all", "torch", weights=True, devices=("cuda",),
        precisions=("fp32", "bf16", "fp16"),
    ),
    "aoti": Runtime("torch", "all", "aoti"),
    "ncnn": Runtime("ncnn", "mobile", "ncnn", precisions=("fp32", "fp16")),
    "mnn": Runtime("MNN", "mobile", "mnn", precisions=("fp32", "fp16")),
    "litert": Runtime("ai_edge_litert", "mobile", "litert", precisions=("fp32", "fp16")),
    "executorch": Runtime("executorch", "executorch", "executorch"),
    "tensorrt": Runtime(
        "tensorrt", "tensorrt", "tensorrt", devices=("cuda",), precisions=("fp32", "fp16")
    ),
}  # fmt: skip
ENGINES = ("auto", *RUNTIMES)
