"""Quantisation-aware training begins: ranges are measured once, and from then on all is rounded.

The ranges are a pure function of the weights that the run starts from, its seed and its pictures,
so a run that goes on has the same, and they depend on no micro-batch. The first of several
processes measures for all.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import torch
from torch import Tensor, nn

from residua.base.errors import DataError
from residua.base.machine import has_int8_dots
from residua.bundle.schema import Preprocess
from residua.data.cache import PixelCache
from residua.data.loader import batches, cut
from residua.data.order import epoch_order
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.evaluate.ranks import SINGLE, Ranks
from residua.pixels.graph import Normalize
from residua.train.update.rounding import Point, Rounding, list_points
from residua.zoo.resnet import ResNet

PICTURES = 300  # as many as an export calibrates on
_AT_ONCE = 25
# The highest level of a weight, by whether this machine adds up products of int8 in 32 bits.
_HIGHEST = {True: 127, False: 63}

Ranges = dict[str, tuple[float, float]]


def quantise(
    network: ResNet,
    source: Source,
    preprocess: Preprocess,
    device: torch.device,
    *,
    seed: int,
    ranks: Ranks = SINGLE,
) -> Rounding:
    """Let ``network`` round as its int8 export will, and return what takes that out again.

    It is moved to ``device``. Ranges are those over up to 300 pictures of ``source``, drawn by
    ``seed``, as ``preprocess`` gives them. Weights have 8 bits, or 7 where this machine's exports
    have (of several, the first process's). Raises DataError where no picture can be read.
    """
    network.to(device)
    measured: tuple[Ranges, int] | None = None
    if ranks.first:
        own = measure_ranges(network, source, preprocess, device, seed=seed)
        measured = own, _HIGHEST[has_int8_dots()]
    ranges, highest = ranks.share(measured)
    return Rounding(network, ranges, highest=highest)


def measure_ranges(
    network: ResNet, source: Source, preprocess: Preprocess, device: torch.device, *, seed: int
) -> Ranges:
    """Return the means over pictures of each one's least and greatest value, at every point.

    The network runs in float32 and in evaluation mode, in which it is not left if it was not.
    """
    view = EvaluationView(source, preprocess, cache=PixelCache(0))
    normalize = Normalize(preprocess.mean, preprocess.std).to(device)
    order = epoch_order(len(source), seed=seed, epoch=0)[:PICTURES]
    training = network.training
    network.eval()
    sums: dict[str, Tensor] = {}
    seen = 0
    with (
        closing(batches(view.fill, cut(order, _AT_ONCE), shape=view.shape)) as loading,
        _watching(list_points(network), sums),
        torch.inference_mode(),
    ):
        for batch in loading:
            if len(batch.indices):
                network(normalize(torch.from_numpy(batch.images).to(device)))
                seen += len(batch.indices)
    network.train(training)
    if not seen:
        raise DataError(
            f"None of {len(order)} pictures of {source.title} can be read, to measure the ranges "
            "of int8.",
            next_step="Check the files: residua data check",
        )
    means = {name: (total / seen).tolist() for name, total in sums.items()}
    return {name: (low, high) for name, (low, high) in means.items()}


@contextmanager
def _watching(points: dict[str, Point], sums: dict[str, Tensor]) -> Iterator[None]:
    """Add up the least and the greatest values of the pictures at ``points`` in ``sums``."""

    def add(name: str, x: Tensor) -> None:
        low, high = x.flatten(1).aminmax(dim=1)  # of each picture
        found = torch.stack([low.double().sum(), high.double().sum()])
        sums[name] = sums[name] + found if name in sums else found

    def watch(name: str, point: Point) -> torch.utils.hooks.RemovableHandle:
        if point.after:

            def note_output(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
                add(name, output)

            return point.module.register_forward_hook(note_output)

        def note_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            add(name, inputs[0])

        return point.module.register_forward_pre_hook(note_input)

    handles = [watch(name, point) for name, point in points.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
