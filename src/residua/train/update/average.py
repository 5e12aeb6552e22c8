"""Averages of the weights during training: exponential or uniform, in float32 beside the network.

Averaged are the parameters and the running statistics of normalisations; the counters of batches,
the only whole numbers among the tensors of a network, stay as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from residua.train.recipe.tree import AveragePart
from residua.zoo.resnet import ResNet


class Average:
    """An average of the weights and running statistics of one network.

    "ema": a ← d a + (1 - d) w after every ``every`` updates, from the weights that the network has
    at the start; with ``warmup`` the n-th time (from 0) has d = min(decay, (1 + n) / (10 + n)), as
    TensorFlow's ExponentialMovingAverage. "uniform" (SWA, arXiv 1803.05407): the mean of the
    weights after each epoch. Running statistics are averaged likewise; those of a uniform average
    are off (its epochs lie far apart) and ``lacks_statistics``: ``renewal`` computes them anew.
    Nothing waits for the device.
    """

    def __init__(self, network: ResNet, part: AveragePart) -> None:
        """Begin with what ``network`` holds, on its device and laid out as it is."""
        self._network, self._part = network, part
        self._taken = 0
        self._own = {
            name: tensor.to(torch.float32, copy=True) for name, tensor in _tensors(network).items()
        }

    def update(self, updates: int) -> None:
        """Take the weights in after an update, the ``updates``-th of the run from 1."""
        if self._part.kind != "ema" or updates % self._part.every:
            return
        decay = self._part.decay
        if self._part.warmup:
            decay = min(decay, (1 + self._taken) / (10 + self._taken))
        self._take(1 - decay)

    def end_epoch(self, epochs: int) -> None:
        """Take the weights in after an epoch, the ``epochs``-th of the run from 1."""
        if self._part.kind == "uniform" and epochs >= self._part.start_epoch:
            self._take(1 / (self._taken + 1))

    @property
    def lacks_statistics(self) -> bool:
        """Whether what ``applied`` and ``put_into`` give needs its running statistics anew."""
        return self._part.kind == "uniform" and self._taken > 0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network hold the average for the length of the block, then its own bits again.

        Values are copied, so that tensors keep their places in memory. Before anything was taken,
        the average is the network itself.
        """
        own = [tensor.clone() for tensor in _tensors(self._network).values()]
        self.put_into(self._network)
        try:
            yield
        finally:
            torch._foreach_copy_(list(_tensors(self._network).values()), own)

    def put_into(self, network: ResNet) -> None:
        """Overwrite the tensors of ``network`` with the average; with nothing taken, leave them."""
        if self._taken:
            torch._foreach_copy_(list(_tensors(network).values()), list(self._own.values()))

    def tensors(self) -> dict[str, Tensor]:
        """Return the averaged tensors by their names in the network, as they are (no copies)."""
        return dict(self._own)

    def numbers(self) -> dict[str, Any]:
        """Return what else the average must remember, as plain values."""
        return {"taken": self._taken}

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Go on with what ``tensors()`` and ``numbers()`` gave."""
        for name, tensor in self._own.items():
            tensor.copy_(tensors[name])
        self._taken = numbers["taken"]

    def _take(self, share: float) -> None:
        """Move the average by ``share`` of the way to the network."""
        given = [tensor.float() for tensor in _tensors(self._network).values()]
        torch._foreach_lerp_(list(self._own.values()), given, share)
        self._taken += 1


def _tensors(network: ResNet) -> dict[str, Tensor]:
    """Return the floating-point parameters and buffers, sharing their memory, without gradients."""
    named = chain(network.named_parameters(), network.named_buffers())
    return {name: tensor.detach() for name, tensor in named if tensor.is_floating_point()}
