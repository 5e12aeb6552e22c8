"""The losses, row by row: the step divides their sum by the rows of the whole batch.

Targets are labels (int64 [N]) or numbers in 0…1 (float or bool [N, classes]): after mixing a
distribution over the classes, of multi-label data one answer for each class.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from residua.base.errors import SettingError
from residua.train.recipe.tree import LossPart

# (logits float [N, classes], targets) → float32 [N]
RowLoss = Callable[[Tensor, Tensor], Tensor]
# (logits, smoothed targets, weights), the former float [N, classes] → [N]. Weights are those of
# positives [classes], those of negatives and positives [2, classes], or None.
_ClassLoss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

# Below this the base of a power with an exponent under 1 would have no finite gradient.
_TINY = float(torch.finfo(torch.float32).tiny)


def make_loss(
    part: LossPart,
    *,
    num_classes: int,
    counts: NDArray[np.int64] | None = None,
    samples: int = 0,
    multi_label: bool = False,
) -> RowLoss:
    """Return the loss of each row, computed in float32 (float64 where the logits are).

    ``counts`` (int64 [classes]) says how many of the ``samples`` training pictures have each
    class; "balanced" weights need it. Class weights act in one of two ways:

    - single label: a row's loss is multiplied by the weight of its class; where mixing gave it
      several, by their expectation. "balanced" is samples / (classes x count), so that the mean
      weight of the training pictures is 1.
    - multi-label: they multiply what the loss says of classes that apply. "balanced" is
      (samples - count) / count: the pictures with a class and those without weigh the same. A
      class that all or none have keeps 1. "ratio" (of bce) weighs both sides, with a class's share
      r of the pictures: exp(1 - r) where it applies, exp(r) where it does not (Li et al., ACPR
      2015, equation 3, as PaddleClas's ratio2weight has it).

    A target t is smoothed to (1 - s) t + s / classes (arXiv 1512.00567, section 7). "bce" takes the
    mean over the classes unless ``reduction`` says otherwise, "asymmetric" and the focal loss of
    multi-label data their sum, as each was published; so a learning rate of one does not suit
    another. The focal loss of single-label data has the softmax's probabilities.

    Raises SettingError for cross entropy of multi-label data and for weights that do not fit the
    classes or the loss.
    """
    if multi_label and part.kind == "cross-entropy":
        raise SettingError(
            "Cross entropy has one right class a picture, and the data are multi-label.",
            next_step="Use loss.kind bce, focal or asymmetric.",
        )
    weights = _read_weights(part, num_classes, counts, samples, multi_label=multi_label)
    lose = _choose(part, multi_label=multi_label)
    return _Loss(lose, part.label_smoothing, weights, multi_label=multi_label)


def _choose(part: LossPart, *, multi_label: bool) -> _ClassLoss:
    match part.kind:
        case "cross-entropy":
            return _cross_entropy
        case "bce":
            return partial(
                _binary_cross_entropy, threshold=part.target_threshold, reduction=part.reduction
            )
        case "focal":
            return partial(_focal_sigmoid if multi_label else _focal_softmax, gamma=part.gamma)
        case "asymmetric":
            gammas = (part.gamma_positive, part.gamma_negative)
            return partial(_asymmetric, gammas=gammas, clip=part.clip)


class _Loss:
    """A loss of the classes with smoothing and class weights around it."""

    def __init__(
        self, lose: _ClassLoss, smoothing: float, weights: Tensor | None, *, multi_label: bool
    ) -> None:
        self._lose, self._smoothing = lose, smoothing
        self._weights, self._multi_label = weights, multi_label

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if targets.ndim == 1:
            targets = torch.zeros_like(logits).scatter_(1, targets[:, None], 1)
        targets = targets.to(logits.dtype)  # [N, classes]
        smoothed = targets
        if self._smoothing:
            smoothed = targets * (1 - self._smoothing) + self._smoothing / targets.shape[1]
        if self._weights is None:
            return self._lose(logits, smoothed, None)
        self._weights = self._weights.to(logits)  # a copy at the first call only
        if self._multi_label:
            return self._lose(logits, smoothed, self._weights)
        return self._lose(logits, smoothed, None) * (targets @ self._weights)


def _cross_entropy(logits: Tensor, targets: Tensor, _: Tensor | None) -> Tensor:
    return -(targets * logits.log_softmax(1)).sum(1)


def _binary_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    *,
    threshold: float | None,
    reduction: str,
) -> Tensor:
    """Return the mean or sum over the classes (arXiv 2110.00476, as timm computes it)."""
    if threshold is not None:
        targets = (targets > threshold).to(logits.dtype)
    both = weights is not None and weights.ndim > 1
    losses = functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=None if both else weights, reduction="none"
    )
    if weights is not None and both:
        losses = losses * torch.where(targets > 0.5, weights[1], weights[0])
    return losses.sum(1) if reduction == "sum" else losses.mean(1)


def _focal_softmax(logits: Tensor, targets: Tensor, _: Tensor | None, *, gamma: float) -> Tensor:
    """Return equation 4 of arXiv 1708.02002 with p of the softmax: one right class a picture."""
    logs = logits.log_softmax(1)
    missing = (-logs.expm1()).clamp(min=_TINY)  # 1 - p
    return -(targets * missing.pow(gamma) * logs).sum(1)


def _focal_sigmoid(
    logits: Tensor, targets: Tensor, weights: Tensor | None, *, gamma: float
) -> Tensor:
    """Return equation 4 of arXiv 1708.02002 with p of the sigmoid, summed over the classes."""
    return _asymmetric(logits, targets, weights, gammas=(gamma, gamma), clip=0.0)


def _asymmetric(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    *,
    gammas: tuple[float, float],
    clip: float,
) -> Tensor:
    """Return ASL (arXiv 2009.14119, section 2) with its shift of p, summed over the classes."""
    applies, absent = functional.logsigmoid(logits), functional.logsigmoid(-logits)  # log p, 1 - p
    positive = (gammas[0] * absent).exp() * applies
    if clip:
        shifted = (applies.exp() - clip).clamp(min=_TINY)  # p_m = max(p - clip, 0)
        negative = shifted.pow(gammas[1]) * (absent.exp() + clip).clamp(max=1).log()
    else:
        negative = (gammas[1] * applies).exp() * absent
    if weights is not None:
        positive = positive * weights
    return -(targets * positive + (1 - targets) * negative).sum(1)


def _read_weights(
    part: LossPart,
    num_classes: int,
    counts: NDArray[np.int64] | None,
    samples: int,
    *,
    multi_label: bool,
) -> Tensor | None:
    """Return the weight of each class as ``make_loss`` describes it; None: all weigh the same."""
    given = part.class_weights
    if given == "none":
        return None
    if given in ("balanced", "ratio"):
        if counts is None or len(counts) != num_classes:
            raise SettingError(
                f"{given.capitalize()} class weights need the pictures of each of {num_classes} "
                "classes.",
                next_step="Give the counts of the training data, or the weights themselves.",
            )
        if given == "ratio":
            if not multi_label or part.kind != "bce":
                raise SettingError(
                    "loss.class_weights ratio is of bce of multi-label data.",
                    next_step='Use "balanced", or one number a class.',
                )
            shares = torch.from_numpy(counts / samples)
            return torch.stack([shares.exp(), (1 - shares).exp()])
        lacking = samples - counts
        wanted, base = (lacking, counts) if multi_label else (samples / num_classes, counts)
        usual = (counts > 0) & ((lacking > 0) | (not multi_label))
        ratio = np.divide(wanted, base, out=np.ones(num_classes), where=usual)
        return torch.from_numpy(ratio)
    if len(given) != num_classes:
        raise SettingError(
            f"loss.class_weights has {len(given)} numbers for {num_classes} classes.",
            next_step="Give one number a class, in the order of the classes.",
        )
    return torch.tensor(given, dtype=torch.float64)
