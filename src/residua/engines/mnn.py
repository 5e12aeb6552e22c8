"""MNN: an engine for phones and boards.

MNN prints what it finds of the processor to standard output, where answers of ours go; while it is
imported and opens a file, that is led to standard error.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from residua.base.errors import EngineError
from residua.base.machine import usable_cores
from residua.engines.engine import Demand

# On x86 all is float32; elsewhere "high" keeps it so, "low" computes in float16 where it can.
_MODES = {"fp32": "high", "fp16": "low"}
# MNN's HintMode::WINOGRAD_MEMORY_LEVEL: with its default of 3 it convolves by transforms of larger
# blocks, which moved probabilities of a ResNet-18 by 1.4e-4 on 60 photos; with 1, by 7e-6.
_WINOGRAD = (3, 1)


class MnnEngine:
    """A module that takes batches of any size; runs wait for one another."""

    def __init__(self, demand: Demand) -> None:
        """Load the export. Raises EngineError where MNN does not take the file."""
        path, _ = demand.open_export()
        self.precision = demand.precision
        config = {
            "backend": "CPU",
            "numThread": demand.threads or usable_cores(),
            "precision": _MODES[demand.precision],
        }
        with _printing_to_stderr():
            from MNN import expr, nn

            self._expr: Any = expr
            self._runtime = nn.create_runtime_manager((config,))
            self._runtime.set_hint(*_WINOGRAD)
            self._module = nn.load_module_from_file(
                str(path), ["image"], ["probabilities"],
                runtime_manager=self._runtime, shape_mutable=True,
            )  # fmt: skip
        if self._module is None:
            raise EngineError(f"MNN does not open {path}.")
        self._lock = Lock()
        self.lanes = 1
        self.good_batch = 8

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"mnn {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        expr = self._expr
        with self._lock:
            # "NCHW" names the plain order of axes, whatever they mean; "NHWC" would be turned.
            image = expr.const(
                np.ascontiguousarray(batch), list(batch.shape), expr.NCHW, expr.uint8
            )
            answers = self._module.onForward([image])
            if not answers:
                raise EngineError(f"MNN could not run crops of {batch.shape}.")
            return np.array(expr.convert(answers[0], expr.NCHW).read())


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Lead what C code prints to standard output to standard error."""
    libc = ctypes.CDLL(None)
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        libc.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
