"""AOTInductor: torch's compiled package, machine code for the kind of processor that made it."""

import numpy as np
import torch

from residua.base.errors import EngineError
from residua.engines.engine import Demand


class AotiEngine:
    """A loaded package; ``threads`` holds for the process."""

    def __init__(self, demand: Demand) -> None:
        """Load the export. Raises EngineError where torch does not take it."""
        if demand.threads is not None:
            torch.set_num_threads(demand.threads)
        path, _ = demand.open_export()
        self.precision = demand.precision
        try:
            self._run = torch._inductor.aoti_load_package(str(path))  # noqa: SLF001  # the public name, torch's documentation
        except RuntimeError as error:
            raise EngineError(
                f"torch {torch.__version__} does not load {path}: {str(error).splitlines()[0]}",
                next_step="The package suits the torch release and the kind of processor that made "
                "it. Make it here: residua export --format aoti",
            ) from error
        self.lanes = 1
        self.good_batch = 8

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"aoti {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        with torch.inference_mode():
            answers: np.ndarray = self._run(torch.from_numpy(np.ascontiguousarray(batch))).numpy()
            return answers
