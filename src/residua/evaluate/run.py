"""Evaluation: a network over a source, every picture once, by any number of processes.

The network is any callable from uint8 [N, H, W, C] to probabilities float32 [N, classes]: an
engine's ``run``, or a torch module as training has it. Pictures come through ``pixels.prepare`` and
nothing else, so the figures are those of prediction.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.base.progress import Progress
from residua.bundle.schema import Metrics
from residua.data.loader import Batch, Failure, batches, cut
from residua.data.source import Source
from residua.data.view import EvaluationView
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import LabelTally, count_labels
from residua.evaluate.ranks import SINGLE, Ranks
from residua.evaluate.scores import Scores, merge_scores
from residua.evaluate.summary import summarise

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one pass. ``failures`` are pictures that cannot be read: in no figure.

    ``counts`` is a Tally, or a LabelTally of multi-label pictures. ``scores`` are the probabilities
    of all pictures, where they were asked for.
    """

    metrics: Metrics
    counts: Tally | LabelTally
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    scores: Scores | None = None

    @property
    def tally(self) -> Tally:
        """The counts of single-label pictures; raises TypeError for multi-label ones."""
        if not isinstance(self.counts, Tally):
            raise TypeError("multi-label pictures have no first answer: see counts")
        return self.counts


@dataclass(slots=True)
class _Share:
    """What one process has found: scores of batches, or else counts."""

    tally: Tally
    scores: list[Scores] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)


def evaluate(
    network: Network,
    view: EvaluationView,
    *,
    batch_size: int = 64,
    threads: int | None = None,
    show_progress: bool = False,
    ranks: Ranks = SINGLE,
    keep_probabilities: bool = False,
    multi_label: bool | None = None,
) -> Evaluation:
    """Run ``network`` over ``view`` and count.

    Of several processes number r takes the pictures r, r + world, …, and all return the same. A
    picture that cannot be read is a Failure with its reason and enters no figure. ``multi_label``
    says that the probability of each class is one by itself; None: where the labels are so.

    Raises DataError where not one picture can be read, where the network has other outputs than the
    source has classes, and where labels of one kind meet a network of the other.
    """
    source = view.source
    _check_kind(source, multi_label)
    order = np.arange(ranks.rank, len(source), ranks.world, dtype=np.int64)
    loading = batches(view.fill, cut(order, batch_size), shape=view.shape, threads=threads)
    showing = show_progress and ranks.first
    with closing(loading):
        own = _count(
            network, _showing(loading, len(order), wanted=showing), source,
            keep=keep_probabilities or source.multi_label,
        )  # fmt: skip
    own.digests = view.digests
    shares: list[_Share] = ranks.gather(own)
    failures = sorted((f for share in shares for f in share.failures), key=lambda f: f.index)
    if len(failures) == len(source):
        raise DataError(
            f"None of the {len(source)} pictures of {source.title} can be read. "
            f"The first: {failures[0].message}",
            next_step="Check the files.",
        )
    parts = [part for share in shares for part in share.scores]
    scores = merge_scores(parts) if parts else None
    counts = _merge(shares, scores, source)
    digests = {index: digest for share in shares for index, digest in share.digests.items()}
    metrics = summarise(counts, source, view.preprocess.crop_size, view.data_sha256(digests))
    kept = scores if keep_probabilities else None
    return Evaluation(metrics, counts, tuple(failures), source.notes, kept)


def _count(network: Network, loading: Iterable[Batch], source: Source, *, keep: bool) -> _Share:
    """Run the batches of one process."""
    classes = len(source.classes)
    share = _Share(Tally(0 if source.multi_label else classes))
    for batch in loading:
        share.failures += batch.failures
        if len(batch.indices) == 0:
            continue
        probabilities = network(batch.images)
        if probabilities.shape != (len(batch.indices), classes):
            raise DataError(
                f"The network gave {probabilities.shape} for {len(batch.indices)} pictures of "
                f"{classes} classes.",
                next_step="Open the data with the classes of the bundle.",
            )
        if not source.multi_label:
            share.tally.add(probabilities, source.labels[batch.indices].astype(np.int64))
        if keep:
            share.scores.append(Scores(batch.indices, probabilities))
    return share


def _merge(shares: list[_Share], scores: Scores | None, source: Source) -> Tally | LabelTally:
    if source.multi_label and scores is not None:
        return count_labels(scores.probabilities, source.labels[scores.indices].astype(np.bool_))
    tally = Tally(len(source.classes))
    for share in shares:
        tally.merge(share.tally)
    return tally


def _check_kind(source: Source, multi_label: bool | None) -> None:
    if multi_label is None or multi_label == source.multi_label:
        return
    kinds = ("one class a picture", "any number of classes a picture")
    raise DataError(
        f"The network answers {kinds[multi_label]}; {source.title} is labelled with "
        f"{kinds[source.multi_label]}.",
        next_step="Give data labelled as those that it was trained on.",
    )


def _showing(loading: Iterable[Batch], total: int, *, wanted: bool) -> Iterator[Batch]:
    if not wanted:
        yield from loading
        return
    progress = Progress("evaluating", total)
    try:
        for batch in loading:
            yield batch
            progress.advance(len(batch.indices) + len(batch.failures))
    finally:
        progress.close()
