"""ONNX Runtime: an engine for processors. Opens an exported bundle without importing torch."""

from importlib.util import find_spec

import numpy as np
import onnxruntime as ort

from residua.base.errors import BundleDamagedError, EngineError, MissingExtraError
from residua.base.machine import usable_cores
from residua.engines.engine import Demand


class OnnxRuntimeEngine:
    """A session on the processor; one run at a time takes all its threads."""

    def __init__(self, demand: Demand) -> None:
        """Open the export, or the graph that is built of the bundle's weights (needs onnx)."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = demand.threads or usable_cores()
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the cores from those that decode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.precision = demand.precision
        content = _content(demand)
        try:
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own kinds share no other ancestor
            said = str(error).splitlines()[0]
            raise EngineError(f"ONNX Runtime cannot open {demand.bundle.path}: {said}") from error
        self.lanes = 1
        self.good_batch = 8

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"onnxruntime {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        answers: np.ndarray = self._session.run(None, {"image": np.ascontiguousarray(batch)})[0]
        return answers


def _content(demand: Demand) -> bytes | str:
    """Return the path of the export, or the bytes of a graph of the weights."""
    if demand.export is not None:
        return str(demand.open_export()[0])
    if find_spec("onnx") is None:
        raise MissingExtraError("onnx", "export")
    from residua.engines.graph.onnx import build_model

    bundle = demand.bundle
    try:
        half = demand.precision == "fp16"
        model = build_model(bundle.manifest, bundle.tensors(), half=half)
    except (KeyError, ValueError) as error:
        raise BundleDamagedError(
            f"The tensors of {bundle.path} are not those of the "
            f"{bundle.manifest.architecture.name} that its bundle.json describes ({error}).",
            next_step="Make the bundle again, from its weight file or by training.",
        ) from error
    content: bytes = model.SerializeToString()
    return content
