"""ExecuTorch: torch's runtime for phones and boards, with XNNPACK's kernels."""

import warnings
from threading import Lock

import numpy as np
import torch

from residua.base.errors import EngineError
from residua.engines.engine import Demand


class ExecuTorchEngine:
    """A loaded method; runs wait for one another. ``threads`` holds for the process."""

    def __init__(self, demand: Demand) -> None:
        """Load the export. Raises EngineError where the runtime does not take it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each import says that the interface may change
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime

        path, export = demand.open_export()
        self.precision = demand.precision
        self._batch = export.batch or 1
        if demand.threads is not None:
            # The only way to choose; "unsafe" while another thread computes.
            portable_lib._unsafe_reset_threadpool(demand.threads)  # noqa: SLF001
        try:
            self._program = Runtime.get().load_program(path)
            self._method = self._program.load_method("forward")
        except RuntimeError as error:
            raise EngineError(f"ExecuTorch does not open {path}: {error}") from error
        self._lock = Lock()
        self.lanes = 1
        self.good_batch = self._batch

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"executorch {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        step = self._batch
        with self._lock:
            parts = [
                self._run_part(batch[start : start + step]) for start in range(0, len(batch), step)
            ]
        return np.concatenate(parts)

    def _run_part(self, batch: np.ndarray) -> np.ndarray:
        """Run as many crops as the program takes; the next run overwrites its output."""
        images = torch.from_numpy(np.ascontiguousarray(batch))
        answers: np.ndarray = self._method.execute([images])[0].numpy().copy()
        return answers
