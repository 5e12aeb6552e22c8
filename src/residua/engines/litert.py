"""LiteRT (TensorFlow Lite): an engine for phones and boards, run here by its own interpreter."""

from threading import Lock

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from residua.base.errors import EngineError
from residua.base.machine import usable_cores
from residua.engines.engine import Demand


class LiteRtEngine:
    """One interpreter, resized to each batch; runs wait for one another."""

    def __init__(self, demand: Demand) -> None:
        """Open the export. Raises EngineError where the interpreter does not take the file."""
        path, _ = demand.open_export()
        self.precision = demand.precision
        try:
            self._interpreter = Interpreter(str(path), num_threads=demand.threads or usable_cores())
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT does not open {path}: {error}") from error
        self._image = self._interpreter.get_input_details()[0]["index"]
        self._answers = self._interpreter.get_output_details()[0]["index"]
        self._size = 1
        self._lock = Lock()
        self.lanes = 1
        self.good_batch = 8

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"litert {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        with self._lock:
            if len(batch) != self._size:
                self._interpreter.resize_tensor_input(self._image, batch.shape, strict=True)
                self._interpreter.allocate_tensors()
                self._size = len(batch)
            self._interpreter.set_tensor(self._image, np.ascontiguousarray(batch))
            self._interpreter.invoke()
            answers: np.ndarray = self._interpreter.get_tensor(self._answers)
            return answers
