"""Batches on the device, with the time that training waited for them."""

import time
from collections.abc import Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from residua.data.loader import Batch


class Feed:
    """Iterates over (images uint8 [N, H, W, C] on the device, tickets int64 [N])."""

    def __init__(self, loading: Generator[Batch], device: torch.device) -> None:
        """``loading`` is closed by ``close``."""
        self._loading, self._device = loading, device
        self._stream = torch.Stream(device) if device.type == "cuda" else None
        self.waited = 0.0  # seconds, for pictures that were not there yet

    def __iter__(self) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """Yield the batches; images hold until the next is asked for."""
        while True:
            asked = time.perf_counter()
            batch = next(self._loading, None)
            self.waited += time.perf_counter() - asked
            if batch is None:
                return
            yield self._upload(torch.from_numpy(batch.images)), batch.indices

    def close(self) -> None:
        """End the threads that load."""
        self._loading.close()

    def _upload(self, images: Tensor) -> Tensor:
        """Copy beside the computation. Only the copy is waited for: its source is used again."""
        if self._stream is None:
            return images
        with self._stream:
            copy = images.to(self._device, non_blocking=True)
        self._stream.synchronize()
        copy.record_stream(torch.accelerator.current_stream(self._device))
        return copy


def place_indices(indices: NDArray[np.int64], device: torch.device) -> Tensor:
    """Return ``indices`` on the device, copied from pinned memory so that nothing waits."""
    tensor = torch.from_numpy(indices)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
