"""The validation that a training run asks for after each epoch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from residua.bundle.schema import Metrics, Preprocess
from residua.data.cache import DEFAULT_BUDGET, PixelCache
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.evaluate.run import Evaluation, Network, evaluate

if TYPE_CHECKING:
    from residua.pixels.graph import Deployed


class Validation:
    """Evaluates one source again and again; crops are kept in memory within a budget.

    ``latest`` is the evaluation of the last call.
    """

    def __init__(
        self, source: Source, *, batch_size: int = 64, cache_bytes: int = DEFAULT_BUDGET
    ) -> None:
        """``batch_size`` changes the speed, not the figures."""
        self.source, self.batch_size, self.cache_bytes = source, batch_size, cache_bytes
        self.latest: Evaluation | None = None
        self._view: EvaluationView | None = None

    def __call__(self, network: "Deployed", preprocess: Preprocess) -> Metrics:
        """Return the figures of ``network`` (in evaluation mode) on the source."""
        if self._view is None or self._view.preprocess != preprocess:
            cache = PixelCache(self.cache_bytes)
            self._view = EvaluationView(self.source, preprocess, cache=cache)
        self.latest = evaluate(run_module(network), self._view, batch_size=self.batch_size)
        return self.latest.metrics


def run_module(network: "Deployed") -> Network:
    """Return ``network`` as a callable on arrays, run without gradients on the device it is on."""
    import torch

    device = next(network.parameters()).device

    def run(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probabilities: torch.Tensor = network(torch.from_numpy(batch).to(device))
        result: NDArray[np.float32] = probabilities.float().cpu().numpy()
        return result

    return run
