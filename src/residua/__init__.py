"""ResNet image classifiers, from a folder of photos to production.

>>> import residua
>>> classifier = residua.load("ResNet50_vd_ssld")              # doctest: +SKIP
>>> for prediction in classifier.predict("photos/"):           # doctest: +SKIP
...     print(prediction.filename, prediction.label_names[0])

The public names are imported when they are first asked for, so that ``import residua`` stays
cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from residua.base.version import __version__

if TYPE_CHECKING:
    from residua.base.errors import ResiduaError
    from residua.bundle.store import Bundle, read_bundle
    from residua.predict.classifier import Classifier, load
    from residua.predict.results import Prediction
    from residua.zoo.create import create
    from residua.zoo.weights.resolve import open_bundle

_HOMES = {
    "Bundle": "residua.bundle.store",
    "Classifier": "residua.predict.classifier",
    "Prediction": "residua.predict.results",
    "ResiduaError": "residua.base.errors",
    "create": "residua.zoo.create",
    "load": "residua.predict.classifier",
    "open_bundle": "residua.zoo.weights.resolve",
    "read_bundle": "residua.bundle.store",
}

__all__ = [
    "Bundle",
    "Classifier",
    "Prediction",
    "ResiduaError",
    "__version__",
    "create",
    "load",
    "open_bundle",
    "read_bundle",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'residua' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
