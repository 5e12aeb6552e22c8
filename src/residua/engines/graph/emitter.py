"""What a runtime's graph must be able to say for ``walk`` to write a network in it.

The values that pass through are the runtime's own (a node, the name of a tensor); images have
[N, C, H, W] in the meaning of the methods, however the runtime lays them out.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

Value = TypeVar("Value")


class Emitter(Protocol[Value]):
    """Adds one layer for each call and returns what comes out of it."""

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> Value:
        """The input, uint8 or 0…255, as float ``x * scale + shift`` for each channel [C]."""
        ...

    def convolve(
        self,
        x: Value,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int,
        groups: int,
        relu: bool,
    ) -> Value:
        """Convolve with ``weight`` [O, I/groups, k, k], padded by k // 2, add ``bias`` [O]."""
        ...

    def add(self, x: Value, y: Value, *, relu: bool) -> Value:
        """The sum of two equal shapes, rectified where ``relu``."""
        ...

    def max_pool(self, x: Value) -> Value:
        """The largest of 3x3, stride 2, padded by 1."""
        ...

    def average_pool(self, x: Value, *, kernel: int, padding: int) -> Value:
        """Means of kernel x kernel, stride 2, of real pixels only; without padding, ceil mode."""
        ...

    def pool_globally(self, x: Value) -> Value:
        """[N, C, H, W] → [N, C], the means."""
        ...

    def split(self, x: Value, parts: int) -> Sequence[Value]:
        """Equal parts of the channels, in order."""
        ...

    def concatenate(self, parts: Sequence[Value]) -> Value:
        """Channels of all ``parts``, in order."""
        ...

    def subsample(self, x: Value, *, stride: int, before: int, behind: int) -> Value:
        """Every ``stride``-th pixel each way, with zero channels before and behind."""
        ...

    def connect(self, x: Value, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> Value:
        """[N, I] → [N, O]: ``weight`` [O, I], ``bias`` [O]."""
        ...

    def gate(self, x: Value, logits: Value) -> Value:
        """``x`` [N, C, H, W] times the sigmoid of ``logits`` [N, C]."""
        ...

    def answer(self, logits: Value, *, temperature: float, exclusive: bool) -> None:
        """Probabilities of ``logits / temperature``: softmax where ``exclusive``, else sigmoid."""
        ...
