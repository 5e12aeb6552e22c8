"""Evaluation: a network over a source, every picture once.

The network is any callable from uint8 [N, H, W, C] to probabilities float32 [N, classes]: an
engine's ``run``, or a torch module as training has it. Pictures come through ``pixels.prepare`` and
nothing else, so the figures are those of prediction.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.base.progress import progressing
from residua.bundle.schema import Metrics
from residua.data.loader import Batch, Failure, batches, cut
from residua.data.view import EvaluationView
from residua.evaluate.metrics import Tally

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one pass. ``failures`` are pictures that cannot be read: in no figure."""

    metrics: Metrics
    tally: Tally
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def evaluate(
    network: Network,
    view: EvaluationView,
    *,
    batch_size: int = 64,
    threads: int | None = None,
    show_progress: bool = False,
) -> Evaluation:
    """Run ``network`` over ``view`` and count.

    A picture that cannot be read is a Failure with its reason and enters no figure. Raises
    DataError where not one can be read, or where the network has other outputs than the source has
    classes.
    """
    source = view.source
    tally = Tally(len(source.classes))
    failures: list[Failure] = []
    order = np.arange(len(source), dtype=np.int64)
    loading = batches(view.fill, cut(order, batch_size), shape=view.shape, threads=threads)
    with closing(loading):
        for batch in _showing(loading, len(source), wanted=show_progress):
            failures += batch.failures
            if len(batch.indices) == 0:
                continue
            probabilities = network(batch.images)
            if probabilities.shape != (len(batch.indices), tally.num_classes):
                raise DataError(
                    f"The network gave {probabilities.shape} for {len(batch.indices)} pictures of "
                    f"{tally.num_classes} classes.",
                    next_step="Open the data with the classes of the bundle.",
                )
            tally.add(probabilities, source.labels[batch.indices])
    if tally.total == 0:
        raise DataError(
            f"None of the {len(source)} pictures of {source.title} can be read. "
            f"The first: {failures[0].message}",
            next_step="Check the files.",
        )
    return Evaluation(_summarise(tally, view), tally, tuple(failures), source.notes)


def _showing(loading: Iterable[Batch], total: int, *, wanted: bool) -> Iterable[Batch]:
    return progressing(loading, "evaluating", total) if wanted else loading


def _summarise(tally: Tally, view: EvaluationView) -> Metrics:
    names = view.source.classes.names
    # Two classes may share a name (ImageNet has two cranes); their ids tell them apart.
    keys = view.source.classes.ids if len(set(names)) < len(names) else names
    return Metrics(
        source="measured",
        data=view.source.title,
        top1=tally.top1,
        top5=tally.top5,
        loss=tally.loss,
        images=tally.total,
        image_size=view.preprocess.crop_size,
        data_sha256=view.data_sha256(),
        per_class={
            key: int(right) / int(images)
            for key, right, images in zip(keys, tally.right, tally.images, strict=False)
            if images
        },
    )
