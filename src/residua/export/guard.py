"""What guards an int8 export: pictures to calibrate on, and a score that may not fall far."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from residua.base.errors import DataError
from residua.bundle.schema import Manifest
from residua.bundle.store import Bundle
from residua.data.cache import PixelCache
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.open import open_source
from residua.data.sources.parts import find_parts
from residua.data.view import EvaluationView
from residua.engines.open import make_demand, open_runtime
from residua.evaluate.part import recall
from residua.evaluate.run import Network, evaluate
from residua.predict.crops import read_crops
from residua.predict.inputs import PICTURE_SUFFIXES

Score = Literal["top-1", "mean average precision", "agreement"]
CALIBRATION = 300  # crops; NNCF's own default, which its documentation says is enough
_UNLABELLED = 2000  # crops at the most that are held in memory


@dataclass(frozen=True, slots=True)
class Guard:
    """``crops`` uint8 [N, crop, crop, C] to calibrate on; ``judge`` gives a network's score.

    ``images`` of ``data`` are judged by ``score``; ``overlap`` tells that those calibrated on are
    among them.
    """

    crops: np.ndarray
    judge: Callable[[Network], float]
    score: Score
    data: str
    images: int
    overlap: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known of the score."""
        if not self.overlap:
            return ()
        return ("Pictures calibrated on are among those judged: parts train/ and val/ avoid it.",)


def open_guard(
    bundle: Bundle,
    data: str,
    *,
    settings: DataPart | None = None,
    calibration: int = CALIBRATION,
) -> Guard:
    """Return the guard of the pictures ``data``.

    A labelled data set is judged by accuracy: calibrated on its training part and judged on its
    validation part, or both on the whole where there are no parts. A folder of nothing but
    pictures is judged by how often the best class is that of the float32 network. ``settings`` say
    how the data set is read; without them it is read as the training's was.
    """
    manifest = bundle.manifest
    settings = settings or recall(manifest)
    if _is_unlabelled(Path(data)):
        return _guard_unlabelled(bundle, data, calibration)
    parts = find_parts(data, settings)
    if parts:
        training = open_source(parts.training, settings, manifest.classes)
        judged = open_source(parts.validation, settings, manifest.classes)
    else:
        training = judged = open_source(data, settings, manifest.classes)
    crops = _take_crops(training, manifest, calibration)
    view = EvaluationView(judged, manifest.preprocess, cache=PixelCache())
    multi = judged.multi_label

    def judge(network: Network) -> float:
        metrics = evaluate(network, view, multi_label=multi).metrics
        return (metrics.map if multi else metrics.top1) or 0.0

    score: Score = "mean average precision" if multi else "top-1"
    return Guard(crops, judge, score, judged.title, len(judged), overlap=parts is None)


def _is_unlabelled(folder: Path) -> bool:
    """Tell whether a folder holds pictures and nothing that could label them."""
    if not folder.is_dir():
        return False
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return bool(inside) and all(
        path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES for path in inside
    )


def _guard_unlabelled(bundle: Bundle, data: str, calibration: int) -> Guard:
    found = list(read_crops(data, bundle.manifest.preprocess, limit=_UNLABELLED))
    if not found:
        raise DataError(
            f"There is no picture in {data} to calibrate on.",
            next_step="Give a folder of pictures like those that the classifier will meet.",
        )
    crops = np.stack(found)
    network = open_runtime("openvino", make_demand(bundle, "openvino", "fp32")).run
    wanted = network(crops).argmax(1)

    def judge(network: Network) -> float:
        answers = [network(crops[start : start + 32]) for start in range(0, len(crops), 32)]
        return float((np.concatenate(answers).argmax(1) == wanted).mean())

    return Guard(crops[:calibration], judge, "agreement", data, len(crops), overlap=True)


def _take_crops(source: Source, manifest: Manifest, count: int) -> np.ndarray:
    """Return up to ``count`` crops of ``source``, drawn at random; unreadable ones left out."""
    order = np.random.default_rng(0).permutation(len(source))[:count]
    taken = source.take(np.sort(order).astype(np.int64), source.title)
    view = EvaluationView(taken, manifest.preprocess, cache=PixelCache(0))
    crops: list[np.ndarray] = []

    def collect(batch: np.ndarray) -> np.ndarray:
        crops.extend(batch.copy())
        return np.full((len(batch), len(source.classes)), 0.5, np.float32)

    evaluate(collect, view)
    return np.stack(crops)
