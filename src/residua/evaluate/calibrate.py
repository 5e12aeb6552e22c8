"""Calibration: one temperature that makes probabilities honest.

The logits are divided by the temperature that minimises the negative log-likelihood of the labels
(Guo, Pleiss, Sun and Weinberger 2017, arXiv 1706.04599, section 4.2). It changes no order of
classes, so no accuracy. Logarithms of the uncalibrated probabilities do for logits: they differ by
a constant a picture, which softmax does not see.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from residua.base.errors import DataError
from residua.bundle.schema import Calibration
from residua.data.source import Source
from residua.evaluate.metrics import SMALLEST, Tally
from residua.evaluate.multilabel import LabelTally, count_labels
from residua.evaluate.run import Evaluation
from residua.evaluate.scores import Scores
from residua.evaluate.summary import summarise

_BLOCK = 1 << 21  # logits computed with at once
_NEAREST = 2.0**-24  # to 1 that a float32 below 1 comes
_PRECISION = 1e-7  # relative, of the temperature
_STEPS = 200  # more than halving a double ever takes

Labels = NDArray[np.int64] | NDArray[np.bool_]


def calibrate(evaluation: Evaluation, source: Source) -> tuple[Evaluation, Calibration]:
    """Fit the temperature to an ``evaluation`` at temperature 1 that kept its probabilities.

    Returns the evaluation as it is with the new temperature, and the record for the bundle. Raises
    DataError where no temperature is best.
    """
    scores, before = evaluation.scores, evaluation.metrics
    if scores is None:
        raise TypeError("an evaluation with keep_probabilities is needed")
    labels = source.labels[scores.indices]
    temperature = fit_temperature(scores.probabilities, labels)
    scores = Scores(scores.indices, soften(scores.probabilities, labels, temperature))
    counts = _count(scores.probabilities, labels)
    metrics = summarise(counts, source, before.image_size, before.data_sha256)
    record = Calibration(
        temperature=temperature,
        data=before.data,
        data_sha256=before.data_sha256,
        images=before.images,
        loss_before=before.loss,
        loss=metrics.loss,
        ece_before=before.ece,
        ece=metrics.ece,
    )
    return replace(evaluation, metrics=metrics, counts=counts, scores=scores), record


def fit_temperature(probabilities: NDArray[np.float32], labels: Labels) -> float:
    """Return the temperature that minimises the loss of ``labels``.

    ``probabilities`` [N, classes] are those at temperature 1: of a softmax where ``labels`` are
    int64 [N], of a sigmoid each where they are bool [N, classes]. The loss is convex in the inverse
    of the temperature, where Newton's method, kept within a shrinking bracket, finds its minimum.

    Raises DataError where every answer is right, so that nothing speaks against the surest
    probabilities, and where the answers are no better than chance, so that all speaks against any.
    """
    if not np.isfinite(probabilities).all():
        raise DataError(
            "The network gives probabilities that are no numbers: nothing to calibrate."
        )
    if _slope(probabilities, labels, 0.0)[0] >= 0:
        raise DataError(
            "The answers are no better than chance: no temperature is too high for them.",
            next_step="Check that the classes of the data are those of the bundle.",
        )
    if _is_flawless(probabilities, labels):
        raise DataError(
            f"All {len(labels)} pictures are answered rightly: no temperature is too low for them.",
            next_step="Calibrate on more pictures, which were not trained on.",
        )
    low, high, inverse = 0.0, np.inf, 1.0
    for _ in range(_STEPS):
        slope, curvature = _slope(probabilities, labels, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        following = inverse - slope / curvature if curvature > 0 else np.inf
        if abs(following - inverse) <= _PRECISION * inverse:
            break
        if not low < following < high:
            following = 2 * inverse if high == np.inf else (low + high) / 2
        inverse = following
    return 1 / float(inverse)


def soften(
    probabilities: NDArray[np.float32], labels: Labels, temperature: float
) -> NDArray[np.float32]:
    """Return ``probabilities`` as they are with ``temperature``; ``labels`` tell their kind."""
    softened = np.empty_like(probabilities)
    for rows, logits in _blocks(probabilities, multi_label=labels.ndim == 2):
        softened[rows] = _activate(logits / temperature, multi_label=labels.ndim == 2)
    return softened


def _count(probabilities: NDArray[np.float32], labels: Labels) -> Tally | LabelTally:
    if labels.ndim == 2:
        return count_labels(probabilities, labels.astype(np.bool_))
    tally = Tally(probabilities.shape[1])
    for rows, _ in _blocks(probabilities, multi_label=False):
        tally.add(probabilities[rows], labels[rows].astype(np.int64))
    return tally


def _slope(
    probabilities: NDArray[np.float32], labels: Labels, inverse: float
) -> tuple[float, float]:
    """Return the first and second derivative of the summed loss by the inverse temperature."""
    slope = curvature = 0.0
    multi = labels.ndim == 2
    for rows, logits in _blocks(probabilities, multi_label=multi):
        chances = _activate(logits * inverse, multi_label=multi)
        if multi:
            slope += float(((chances - labels[rows]) * logits).sum())
            curvature += float((chances * (1 - chances) * logits**2).sum())
            continue
        mean = (chances * logits).sum(axis=1)
        own = logits[np.arange(len(logits)), labels[rows].astype(np.int64)]
        slope += float((mean - own).sum())
        curvature += float((chances * (logits - mean[:, None]) ** 2).sum())
    return slope, curvature


def _is_flawless(probabilities: NDArray[np.float32], labels: Labels) -> bool:
    """Tell whether the loss falls for ever as the temperature does."""
    if labels.ndim == 2:
        return bool(np.where(labels, probabilities >= 0.5, probabilities <= 0.5).all())
    own = probabilities[np.arange(len(labels)), labels.astype(np.int64)]
    return bool((own >= probabilities.max(axis=1)).all())


def _activate(logits: NDArray[np.float64], *, multi_label: bool) -> NDArray[np.float64]:
    """Return the softmax of each row, or the sigmoid of each logit."""
    chances: NDArray[np.float64]
    if multi_label:
        small = np.exp(-np.abs(logits))
        chances = np.where(logits >= 0, 1, small) / (1 + small)
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = powers / powers.sum(axis=1, keepdims=True)
    return chances


def _blocks(
    probabilities: NDArray[np.float32], *, multi_label: bool
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield rows and their logits, a few at a time; what float32 lost is beyond recovery.

    The logits are bounded by what float32 holds: ±87 of a softmax, -87…17 of a sigmoid.
    """
    count = max(1, _BLOCK // probabilities.shape[1])
    for start in range(0, len(probabilities), count):
        rows = slice(start, start + count)
        exact = probabilities[rows].astype(np.float64)
        logits = np.log(np.maximum(exact, SMALLEST))
        if multi_label:
            logits -= np.log(np.maximum(1 - exact, _NEAREST))
        yield rows, logits
