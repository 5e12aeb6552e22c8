"""Trying out a training step on a copy of the learner: what it takes of time and memory.

The network that will be trained is never touched: not its weights, statistics or gradients.
"""

import copy
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, autograd, nn

from residua.train.update.learner import Learner, Place
from residua.train.update.precision import Precision
from residua.zoo.resnet import ResNet

_PATIENCE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Trial:
    """Seconds of a step on ``rows`` pictures."""

    rows: int
    seconds: float


def measure_activations(learner: Learner, size: int) -> int:
    """Return the bytes that the forward pass of one picture of ``size`` pixels keeps for backward.

    It is half of what four pictures keep more than two: what is made of the weights, in another
    number format or rounded, is there once for all pictures.
    """
    trained = _copy(learner)
    few, more = (
        _measure_saved(trained, _pictures(learner.network, learner.precision, size, rows))
        for rows in (2, 4)
    )
    return (more - few) // 2


def _measure_saved(trained: Learner, pictures: Tensor) -> int:
    """Return the bytes of all tensors that autograd saves, each counted once, weights apart."""
    owned = {tensor.data_ptr() for tensor in (*trained.parameters(), *trained.buffers())}
    seen: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in owned:
            seen[tensor.data_ptr()] = max(seen.get(tensor.data_ptr(), 0), tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = _forward(trained, pictures)
    total = sum(seen.values())
    del loss
    return total


def try_step(learner: Learner, size: int, rows: int, *, repeats: int = 4) -> Trial:
    """Run forward and backward on ``rows`` pictures; the median of ``repeats`` more is the time.

    The first runs set up, which takes several times as long; after five seconds no other is begun.
    Raises torch.OutOfMemoryError where the memory of a GPU does not suffice.
    """
    trained, device = _copy(learner), learner.precision.device
    pictures = _pictures(learner.network, learner.precision, size, rows)
    times: list[float] = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        autograd.backward(_forward(trained, pictures))
        trained.zero_grad(set_to_none=True)
        _synchronise(device)
        times.append(time.perf_counter() - started)
        if sum(times) > _PATIENCE and len(times) > 1:
            break
    return Trial(rows, statistics.median(times[1:] or times))


def try_forward(network: ResNet, precision: Precision, size: int, rows: int) -> Trial:
    """Run only forward, in float32 as validation does; the faster of two is the time."""
    deployed = copy.deepcopy(network).to(precision.device).eval()
    nn.utils.convert_conv2d_weight_memory_format(deployed, torch.channels_last)
    pictures = _pictures(network, precision, size, rows)
    times: list[float] = []
    with torch.inference_mode():
        for _ in range(3):
            started = time.perf_counter()
            deployed(pictures)
            _synchronise(precision.device)
            times.append(time.perf_counter() - started)
    return Trial(rows, min(times))


def _copy(learner: Learner) -> Learner:
    trained = copy.deepcopy(learner).to(learner.precision.device)
    trained.network.train()
    nn.utils.convert_conv2d_weight_memory_format(trained, torch.channels_last)
    return trained


def _pictures(network: ResNet, precision: Precision, size: int, rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (rows, network.row.input_channels, size, size)
    pictures = torch.randn(shape, generator=generator).to(precision.device)
    return pictures.contiguous(memory_format=torch.channels_last)


def _forward(learner: Learner, pictures: Tensor) -> Tensor:
    targets = torch.zeros(len(pictures), learner.network.row.num_classes, device=pictures.device)
    targets[:, 0] = 1  # a class, or of multi-label data what applies
    losses: Tensor = learner(pictures, targets, Place(0, 0, 0, 0))
    return losses.mean()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
