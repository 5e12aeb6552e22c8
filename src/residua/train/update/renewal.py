"""Running statistics of normalisations computed anew, for weights that no update has had."""

from contextlib import closing
from functools import partial

import torch
from torch import nn

from residua.data.loader import batches, cut
from residua.data.order import epoch_order
from residua.data.view import TrainingView
from residua.evaluate.model import share_of_cores
from residua.train.update.feed import Feed
from residua.train.update.step import Computation

# Means over so many pictures and all their places vary little; all pictures, as in the paper, would
# take a third of an epoch at each validation.
_PICTURES = 1024


@torch.no_grad()
def renew_statistics(
    computation: Computation, view: TrainingView, *, epoch: int, repeats: int = 1
) -> None:
    """Let the normalisations of the network forget what they have seen, and look at training crops.

    They take the plain mean over batches, as torch.optim.swa_utils.update_bn does (arXiv
    1803.05407, section 3.2), of the first 1024 tickets of ``epoch``, neither erased nor mixed, and
    no branch is dropped. Frozen parts keep theirs. The network is left in evaluation mode.

    It is a pure function of the weights, the seed and the epoch. Each process computes the same
    (also where normalisations are synchronised).
    """
    network, shares = computation.network, computation.shares
    norms = _list_training(network)
    order = epoch_order(len(view.source), seed=computation.seed, epoch=epoch, repeats=repeats)
    # Of a length that is the same on every process; what fills no batch would weigh too much.
    rows = max(2, min(shares.micro_batch or shares.batch, shares.batch // shares.ranks.world))
    pieces = cut(order[:_PICTURES], rows)
    whole = [piece for piece in pieces if len(piece) == rows] or pieces
    loading = batches(
        partial(view.fill, epoch), whole, shape=view.shape_at(epoch),
        threads=share_of_cores(shares.ranks),
    )  # fmt: skip
    kept = [(norm.momentum, norm.get_buffer("num_batches_tracked").clone()) for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
        norm.train()
    with closing(Feed(loading, computation.precision.device)) as feed:
        for images, _ in feed:
            pictures = computation.normalize(images)
            with computation.precision.computing():
                network(pictures)
    for norm, (momentum, count) in zip(norms, kept, strict=True):
        norm.momentum = momentum
        norm.get_buffer("num_batches_tracked").copy_(count)
        norm.eval()


def _list_training(network: nn.Module) -> list[nn.BatchNorm2d | nn.SyncBatchNorm]:
    """Return the normalisations that are not frozen."""
    network.train()
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and module.training
    ]
