"""OpenVINO: the engine for processors. Opens a bundle without importing torch."""

import queue
from typing import Any

import numpy as np
import openvino as ov

from residua.base.errors import BundleDamagedError
from residua.bundle.store import Bundle
from residua.engines.openvino_graph import build_model


class OpenVinoEngine:
    """A compiled graph with one infer request for each lane."""

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        """Build and compile the bundle's graph in float32; ``threads`` None means all cores.

        float32 is stated outright: OpenVINO would take bfloat16 by itself where the processor has
        it, and then answers would differ from machine to machine.
        """
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        core = ov.Core()
        try:
            model = build_model(bundle.manifest, bundle.tensors())
            self._compiled = core.compile_model(model, "CPU", options)
        except (KeyError, ValueError, RuntimeError) as error:
            raise BundleDamagedError(
                f"The tensors of {bundle.path} are not those of the "
                f"{bundle.manifest.architecture.name} that its bundle.json describes "
                f"({str(error).splitlines()[0]}).",
                next_step="Make the bundle again, from its weight file or by training.",
            ) from error
        streams: int = self._compiled.get_property("NUM_STREAMS")
        self.lanes = streams
        self.good_batch = 8
        self._requests: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(self._compiled.create_infer_request())

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return "openvino float32 on CPU"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        request = self._requests.get()
        try:
            results = request.infer({0: np.ascontiguousarray(batch)}, share_inputs=True)
            return np.array(results[0])
        finally:
            self._requests.put(request)
