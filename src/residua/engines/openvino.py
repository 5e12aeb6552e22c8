"""OpenVINO: the engine for processors. Opens a bundle without importing torch."""

import queue
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from residua.base.errors import BundleDamagedError, SettingError
from residua.base.machine import usable_cores
from residua.engines.engine import Demand
from residua.engines.graph.openvino import build_model
from residua.zoo.weights.cache import cache_folder

# What the plugin calls the precisions. float32 is stated outright: it would take bfloat16 by itself
# where the processor has it, and answers would differ from machine to machine. An int8 graph says
# in itself what is int8; the rest of it is float32.
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
_CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


class OpenVinoEngine:
    """A compiled graph with one infer request for each lane."""

    def __init__(self, demand: Demand) -> None:
        """Compile the export, or the graph that is built of the bundle's weights."""
        core = ov.Core()
        self.precision = demand.precision
        # Resizing needs float32: it is exact sums of products of whole numbers.
        whole = demand.export is not None and demand.export.input == "image"
        able = _computes_in(core, demand.precision) and not whole
        stored = demand.export.precision if demand.export else ""
        if not able and stored != demand.precision:
            raise SettingError(
                f"This processor does not compute in {demand.precision}.",
                next_step="Use --precision fp32, or int8 after: residua export --precision int8",
            )
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": demand.hint.upper(),
            # A file of float16 weights can be computed in float32.
            "INFERENCE_PRECISION_HINT": _HINTS[demand.precision if able else "fp32"],
        }
        if demand.threads is not None:
            options["INFERENCE_NUM_THREADS"] = demand.threads
            # Who takes a part of the cores leaves others to other processes; pinned, all of them
            # would take the first ones (LOG.md, "two workers on one core").
            options["ENABLE_CPU_PINNING"] = demand.threads >= usable_cores()
        self._compiled = _compile(core, demand, options)
        self.lanes: int = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.good_batch = 8
        self._requests: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(self.lanes):
            self._requests.put(self._compiled.create_infer_request())

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"openvino {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        request = self._requests.get()
        try:
            results = request.infer({0: np.ascontiguousarray(batch)}, share_inputs=True)
            return np.array(results[0])
        finally:
            self._requests.put(request)


def _computes_in(core: ov.Core, precision: str) -> bool:
    """Tell whether this processor computes in ``precision``."""
    needed = _CAPABILITIES.get(precision)
    return needed is None or needed in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compile(core: ov.Core, demand: Demand, options: dict[str, Any]) -> ov.CompiledModel:
    if demand.export is not None:
        path, _ = demand.open_export()
        return _compile_file(core, path, options)
    bundle = demand.bundle
    try:
        model = build_model(bundle.manifest, bundle.tensors())
        return core.compile_model(model, "CPU", options)
    except (KeyError, ValueError, RuntimeError) as error:
        raise BundleDamagedError(
            f"The tensors of {bundle.path} are not those of the "
            f"{bundle.manifest.architecture.name} that its bundle.json describes "
            f"({str(error).splitlines()[0]}).",
            next_step="Make the bundle again, from its weight file or by training.",
        ) from error


def _compile_file(core: ov.Core, path: Path, options: dict[str, Any]) -> ov.CompiledModel:
    """Compile a file; the compiled graph is kept in the cache, for half the time next time."""
    cache = cache_folder() / "openvino"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return core.compile_model(path, "CPU", options | {"CACHE_DIR": str(cache)})
    except (OSError, RuntimeError):  # a full or read-only cache
        return core.compile_model(path, "CPU", options)
