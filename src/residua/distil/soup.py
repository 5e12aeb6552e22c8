"""Greedy soups: the mean of the weights of several trainings of one network, as long as it helps.

Model soups, arXiv 2203.05482, recipe 1: bundles in the order of their validation; each joins the
mean if the mean then is no worse. It is for trainings that began with the same weights; others lie
too far apart, and the mean of two of them knows nothing. Running statistics are averaged as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Metrics
from residua.bundle.store import WEIGHTS, Bundle
from residua.data.source import Source
from residua.evaluate.validation import Validation
from residua.zoo.load import load_tensors, make_network

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Tasted:
    """A bundle by itself, and whether it joined."""

    bundle: Bundle
    metrics: Metrics
    joined: bool


@dataclass(frozen=True, slots=True)
class Soup:
    """The mean of those that joined, best first, and its own figures."""

    tasted: tuple[Tasted, ...]
    tensors: Tensors
    metrics: Metrics


def cook(
    bundles: Sequence[Bundle], validation: Source, *, say: Callable[[str], None] = lambda _: None
) -> Soup:
    """Return the greedy soup of ``bundles``, by top-1 on ``validation``; of equal ones by loss.

    Raises SettingError where they are not of one row, the same classes and the same preprocessing.
    """
    _refuse_different(bundles)
    first = bundles[0]
    network = make_network(first.manifest.architecture, first.tensors()).eval()
    running = Validation(network, first.manifest.preprocess, validation)

    def taste(tensors: Tensors) -> Metrics:
        load_tensors(network, tensors)
        return running.run()

    alone = []
    for bundle in bundles:
        alone.append((bundle, taste(bundle.tensors())))
        say(f"{bundle.path}: {spell_figures(alone[-1][1])}")
    alone.sort(key=lambda pair: _value(pair[1]), reverse=True)
    best, metrics = alone[0]
    soup, count = best.tensors(), 1
    tasted = [Tasted(best, metrics, joined=True)]
    for bundle, own in alone[1:]:
        mixed = _mix(soup, bundle.tensors(), count)
        found = taste(mixed)
        joined = _value(found) >= _value(metrics)
        if joined:
            soup, metrics, count = mixed, found, count + 1
        tasted.append(Tasted(bundle, own, joined=joined))
        say(f"with {bundle.path}: {spell_figures(found)}{'' if joined else ', left out'}")
    return Soup(tuple(tasted), {n: a.astype(np.float32) for n, a in soup.items()}, metrics)


def _mix(soup: Tensors, more: Tensors, count: int) -> Tensors:
    """Return the mean of ``count`` networks and one more, in float64 until the end."""
    return {
        name: soup[name].astype(np.float64) + (array - soup[name].astype(np.float64)) / (count + 1)
        for name, array in more.items()
    }


def _value(metrics: Metrics) -> tuple[float, float]:
    """Return what is compared, the loss without float32's rounding: that leaves nobody out."""
    value = metrics.top1 if metrics.top1 is not None else metrics.map or 0.0
    return value, -round(metrics.loss or 0.0, 5)


def spell_figures(metrics: Metrics) -> str:
    """Return what decides, in words."""
    value, loss = _value(metrics)
    return f"{'mAP' if metrics.top1 is None else 'top-1'} {value:.2%}, loss {-loss:.4f}"


def _refuse_different(bundles: Sequence[Bundle]) -> None:
    if len(bundles) < 2:
        raise SettingError("A soup takes two bundles at least.")
    first = bundles[0].manifest
    weights = [bundle.manifest.files[WEIGHTS].sha256 for bundle in bundles]
    for number, bundle in enumerate(bundles[1:], 1):
        manifest = bundle.manifest
        if weights[number] in weights[:number]:
            raise SettingError(f"The weights of {bundle.path} are there twice.")
        for what, same in (
            ("networks", manifest.architecture == first.architecture),
            ("classes", manifest.classes == first.classes),
            ("preprocessing", manifest.preprocess == first.preprocess),
        ):
            if not same:
                raise SettingError(
                    f"{bundles[0].path} and {bundle.path} differ in their {what}.",
                    next_step="A soup is of trainings of one network on the same classes, which "
                    "began with the same weights.",
                )
