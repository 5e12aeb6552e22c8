"""The validation that a training run asks for after each epoch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from residua.base.errors import SettingError
from residua.bundle.schema import Metrics, Preprocess
from residua.data.cache import DEFAULT_BUDGET, PixelCache
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.evaluate.ranks import SINGLE, Ranks
from residua.evaluate.run import Evaluation, Network, evaluate
from residua.pixels.graph import Deployed


class Validation:
    """Evaluates a network in training on one source again and again.

    The network runs as it will be deployed, in float32; crops are kept in memory within a budget.
    Of several processes each takes its share of the pictures, and all get the same figures.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        source: Source,
        *,
        batch_size: int = 64,
        cache_bytes: int = DEFAULT_BUDGET,
        ranks: Ranks = SINGLE,
        keep_probabilities: bool = False,
    ) -> None:
        """``network`` is used as it is at each run; ``batch_size`` changes the speed only.

        Where the source is labelled with any number of classes a picture, so the network answers.
        """
        self.network, self.batch_size, self.ranks = network, batch_size, ranks
        self.keep_probabilities = keep_probabilities
        self._view = EvaluationView(source, preprocess, cache=PixelCache(cache_bytes))
        self._latest: Evaluation | None = None

    def run(self) -> Metrics:
        """Return the figures of the network, which must be in evaluation mode."""
        multi = self._view.source.multi_label
        deployed = Deployed(
            self.network, self._view.preprocess, task="multi-label" if multi else "single-label"
        ).eval()
        deployed.to(next(self.network.parameters()).device)
        self._latest = evaluate(
            run_module(deployed),
            self._view,
            batch_size=self.batch_size,
            ranks=self.ranks,
            keep_probabilities=self.keep_probabilities,
        )
        return self._latest.metrics

    @property
    def latest(self) -> Evaluation:
        """The evaluation of the last run."""
        if self._latest is None:
            raise SettingError("Nothing has been validated yet.")
        return self._latest


def run_module(network: Deployed) -> Network:
    """Return ``network`` as a callable on arrays, run without gradients on the device it is on."""
    device = next(network.parameters()).device

    def run(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probabilities: torch.Tensor = network(torch.from_numpy(batch).to(device))
        result: NDArray[np.float32] = probabilities.float().cpu().numpy()
        return result

    return run
