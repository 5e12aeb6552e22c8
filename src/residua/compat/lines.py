"""Predictions as PaddleClas prints them, and as its Python class returns them.

Sections 2.3, 3.5 and 4.2 of its ResNet document; a picture that cannot be used has the reason in
their place, where PaddleClas leaves it out.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

from residua.predict.results import Prediction


def as_wheel(prediction: Prediction) -> dict[str, Any]:
    """Return the record of the package: section 2.3."""
    return prediction.to_dict()


def as_tool(prediction: Prediction) -> dict[str, Any]:
    """Return the record of tools/infer.py: section 3.5, whose key is ``file_name``."""
    record = prediction.to_dict()
    name = record.pop("filename")
    if not prediction.ok:
        return {**record, "file_name": name}
    names = record.pop("label_names")
    return {**record, "file_name": name, "label_names": names}


def spell_wheel(prediction: Prediction) -> str:
    """Return the line of the command paddleclas."""
    return ", ".join(f"{key}: {value}" for key, value in as_wheel(prediction).items())


def spell_deployed(prediction: Prediction) -> str:
    """Return the line of deploy/python/predict_cls.py: section 4.2, scores of two decimals."""
    name = PurePath(prediction.filename).name
    if not prediction.ok:
        return f"{name}:\terror: {prediction.error}"
    scores = ", ".join(f"{score:.2f}" for score in prediction.scores)
    return (
        f"{name}:\tclass id(s): {prediction.class_ids}, score(s): [{scores}], "
        f"label_name(s): {prediction.label_names}"
    )


def in_batches(predictions: Iterable[Prediction], size: int) -> Iterator[list[Prediction]]:
    """Yield ``size`` predictions at a time; of the last batch as many as there are."""
    rest = iter(predictions)
    while batch := list(islice(rest, size)):
        yield batch
