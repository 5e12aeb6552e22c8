"""A classifier's answers as ``PostProcess`` wants them: the best classes, or one decision.

Source of the decision: ThreshOutput in deploy/python/postprocess.py of PaddleClas at d178931f.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from residua.predict.classifier import Classifier
from residua.predict.results import Prediction


@dataclass(frozen=True, slots=True)
class Decision:
    """ThreshOutput: of two classes the second from ``threshold`` on, and what they are called.

    Of more classes the best, if its probability is above ``threshold``, else ``fallback``.
    """

    threshold: float
    labels: tuple[str, str] = ("0", "1")
    fallback: int = 0


def answer(
    classifier: Classifier,
    images: Any,
    *,
    top_k: int | None,
    threshold: float | None,
    decision: Decision | None = None,
    batch_size: int = 1,
    allow_urls: bool = False,
) -> Iterator[Prediction]:
    """Yield what is said of each of ``images``: as Classifier.predict, or one decision."""
    if decision is not None:
        top_k, threshold = len(classifier.classes), 0.0
    predictions = classifier.predict(
        images, top_k=top_k, threshold=threshold, batch_size=batch_size, allow_urls=allow_urls
    )
    for prediction in predictions:
        if decision is not None and prediction.ok:
            yield _decide(prediction, decision)
        else:
            yield prediction


def _decide(prediction: Prediction, decision: Decision) -> Prediction:
    """Return the one class of ``prediction`` (which has all of them) that is decided for."""
    scores = dict(zip(prediction.class_ids, prediction.scores, strict=True))
    names = dict(zip(prediction.class_ids, prediction.label_names, strict=True))
    if len(scores) == 2:  # yes or no
        chosen = int(scores[1] >= decision.threshold)
        score, name = (scores[1] if chosen else 1 - scores[1]), decision.labels[chosen]
    else:
        best = prediction.class_ids[0]
        chosen = best if scores[best] > decision.threshold else decision.fallback
        score, name = scores[chosen], names[chosen]
    return replace(prediction, class_ids=[chosen], scores=[score], label_names=[name])
