"""One update, without a wait for the device: rows in, gradients of the whole batch out.

The loss of an update is the mean over the rows of all processes and micro-batches. Each adds the
sum of its own rows, divided by the rows of the whole batch; so how the batch is shared out changes
nothing but the rounding (and what normalisations see, unless they are synchronised).
"""

import inspect
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, autograd, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import convert_conv2d_weight_memory_format

from residua.base.errors import TrainingError
from residua.data.augment.erase import erase
from residua.data.augment.mix import mix, one_hot
from residua.data.draws import Purpose, fractions
from residua.data.settings import AugmentPart
from residua.train.recipe.tree import PrecisionPart
from residua.train.update.learner import Learner, Place
from residua.train.update.precision import Precision
from residua.train.update.shares import Shares
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import list_drop_paths, set_drop_draws


@dataclass(frozen=True, slots=True)
class Computation:
    """What an update computes with; none of it changes during a run.

    ``forward`` is the learner as it is called: where there are several processes, within what
    exchanges the gradients.
    """

    learner: Learner
    forward: nn.Module
    normalize: nn.Module
    precision: Precision
    scaler: torch.amp.GradScaler
    augment: AugmentPart
    shares: Shares
    seed: int

    @property
    def network(self) -> ResNet:
        """The network that is trained."""
        return self.learner.network

    def without_exchange(self) -> AbstractContextManager[object]:
        """Return the context in which a backward pass keeps its gradients to itself."""
        if isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return nullcontext()


def prepare_forward(learner: Learner, part: PrecisionPart, shares: Shares) -> nn.Module:
    """Return ``learner`` as an update calls it: on its device, compiled, exchanging gradients."""
    device = learner.precision.device
    learner.to(device)
    if part.channels_last:
        convert_conv2d_weight_memory_format(learner, torch.channels_last)
    if part.compile:
        learner.network.compile()
    if shares.ranks.world > 1:
        return _exchange_gradients(learner, device)
    return learner


def _exchange_gradients(learner: Learner, device: torch.device) -> nn.Module:
    """Return ``learner`` with the mean of all processes' gradients; statistics stay their own."""
    known = inspect.signature(DistributedDataParallel).parameters
    # torch 2.13 renamed the option.
    keep = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {keep: False, "gradient_as_bucket_view": True}
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(learner, device_ids=devices, **options)


def run_backward(
    computation: Computation,
    images: Tensor,
    targets: Tensor,
    tickets: NDArray[np.int64],
    *,
    epoch: int,
    step: int,
) -> Tensor:
    """Add the gradients of an update; return the sum of the losses of this process's rows.

    ``images`` (uint8 [N, H, W, C]), ``targets`` (int64 [N] or float [N, classes]) and ``tickets``
    (int64 [N]) are the rows of this process.
    """
    shares = computation.shares
    pieces = shares.micro_batches
    total = torch.zeros((), device=images.device)
    for number, rows in enumerate(pieces):
        last = number + 1 == len(pieces)
        with nullcontext() if last else computation.without_exchange():
            losses = _lose(
                computation, images[rows], targets[rows], tickets[rows],
                epoch=epoch, step=step, first_row=shares.rows.start + rows.start,
            )  # fmt: skip
            # The exchange of gradients takes the mean over the processes; a sum is wanted.
            part = losses.sum() * (shares.ranks.world / shares.batch)
            autograd.backward(computation.scaler.scale(part))
        total += losses.detach().sum()
    return total


def run_backward_within_memory(
    computation: Computation,
    images: Tensor,
    targets: Tensor,
    tickets: NDArray[np.int64],
    *,
    epoch: int,
    step: int,
) -> tuple[Tensor, Computation]:
    """As ``run_backward``; where a GPU runs out of memory, the micro-batches are halved for good.

    Returns what is computed with from now on, too. The update begins anew then, with the same rows
    and draws; only running statistics have seen some rows twice. Raises TrainingError where it
    cannot be halved: with several processes the others wait for gradients that never come.
    """
    while True:
        try:
            loss = run_backward(computation, images, targets, tickets, epoch=epoch, step=step)
        except torch.OutOfMemoryError as error:
            largest = max(piece.stop - piece.start for piece in computation.shares.micro_batches)
            smaller = largest // 2 // 2 * 2
            if smaller < 2 or computation.shares.ranks.world > 1:
                raise TrainingError(
                    f"The device ran out of memory with {largest} pictures at once.",
                    next_step=f"Start the same command with -o loop.micro_batch={max(2, smaller)}; "
                    "the effective batch stays.",
                ) from error
            for parameter in computation.learner.parameters():
                parameter.grad = None
            shares = replace(computation.shares, micro_batch=smaller)
            computation = replace(computation, shares=shares)
        else:
            return loss, computation
        torch.cuda.empty_cache()


def _lose(
    computation: Computation,
    images: Tensor,
    targets: Tensor,
    tickets: NDArray[np.int64],
    *,
    epoch: int,
    step: int,
    first_row: int,
) -> Tensor:
    """Return the loss of each row of a micro-batch: float32 [N]."""
    augment, seed = computation.augment, computation.seed
    pictures = computation.normalize(images)  # [N, C, H, W]
    if augment.erase.kind != "none":
        pictures = erase(pictures, augment.erase, seed=seed, epoch=epoch, tickets=tickets)
    if augment.mix.mixup or augment.mix.cutmix:
        if targets.ndim == 1:
            targets = one_hot(targets, computation.network.row.num_classes)
        pictures, targets = mix(pictures, targets, augment.mix, seed=seed, epoch=epoch, step=step)
    if computation.network.row.drop_path:
        _draw_drops(computation.network, seed, epoch, step, first_row, len(images))
    losses: Tensor = computation.forward(pictures, targets, Place(seed, epoch, step, first_row))
    return losses


def _draw_drops(
    network: ResNet, seed: int, epoch: int, step: int, first_row: int, rows: int
) -> None:
    """Give every drop path its numbers for the rows, whoever computes them."""
    count = len(list_drop_paths(network))
    # A row's key holds its update too: no batch has 2^32 rows.
    places = (np.int64(step) << 32) + np.arange(first_row, first_row + rows, dtype=np.int64)
    numbers = fractions(Purpose.DROP_PATH, seed=seed, epoch=epoch, indices=places, count=count)
    device = next(network.parameters()).device
    set_drop_draws(network, torch.from_numpy(numbers.T.copy()).to(device, non_blocking=True))
