"""What every engine offers, and how one is asked for."""

from typing import Protocol, runtime_checkable

import numpy as np

ENGINES = ("auto", "openvino", "torch")


@runtime_checkable
class Engine(Protocol):
    """A network ready to run. ``run`` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Runtime, precision and device in words, as "openvino float32 on CPU"."""
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
