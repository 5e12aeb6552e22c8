"""TensorRT: the engine of NVIDIA GPUs for an exported engine file. Memory is torch's.

Written from TensorRT's documentation (10 and 11 share these calls).
"""

from threading import Lock

import numpy as np
import tensorrt as trt
import torch

from residua.base.errors import EngineError, SettingError
from residua.engines.engine import Demand


class TensorRtEngine:
    """An execution context with a stream of its own; runs wait for one another."""

    def __init__(self, demand: Demand) -> None:
        """Load the export. Raises EngineError where this GPU or TensorRT does not take it."""
        if not torch.cuda.is_available():
            raise SettingError(
                "TensorRT needs an NVIDIA GPU, and torch finds none.",
                next_step="Use another --engine, as torch.",
            )
        path, _ = demand.open_export()
        self.precision = demand.precision
        self._device = torch.device("cuda")
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise EngineError(
                f"TensorRT {trt.__version__} does not load {path} on this GPU.",
                next_step="An engine file suits the GPU and the TensorRT release that made it. "
                "Make it here: residua export --format tensorrt",
            )
        self._context = self._engine.create_execution_context()
        _, best, largest = self._engine.get_tensor_profile_shape("image", 0)
        self._classes: int = self._engine.get_tensor_shape("probabilities")[1]
        self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's stub
        self._lock = Lock()
        self._largest: int = largest[0]
        self.lanes = 1
        self.good_batch: int = best[0]

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"tensorrt {self.precision} on {torch.cuda.get_device_name(self._device)}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        step = self._largest
        parts = [
            self._run_part(batch[start : start + step]) for start in range(0, len(batch), step)
        ]
        return np.concatenate(parts)

    def _run_part(self, batch: np.ndarray) -> np.ndarray:
        """Run a batch of no more than the profile's largest."""
        with self._lock, torch.cuda.stream(self._stream):
            images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            answers = torch.empty((len(batch), self._classes), device=self._device)
            self._context.set_input_shape("image", tuple(images.shape))
            self._context.set_tensor_address("image", images.data_ptr())
            self._context.set_tensor_address("probabilities", answers.data_ptr())
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise EngineError(f"TensorRT could not run crops of {tuple(images.shape)}.")
            self._stream.synchronize()
            probabilities: np.ndarray = answers.cpu().numpy()
            return probabilities
