"""Class activation maps without torch: a second graph of the weights, built when first asked for.

What the last stage gives out is averaged over all places and then weighed; weighing before
averaging gives the same logit, so that the map is exact: CAM_c(x, y) = Σ_k w_ck f_k(x, y) (Zhou et
al. 2016, arXiv 1512.04150, equation 2).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import openvino as ov

from residua.base.errors import ImageError, ResiduaError
from residua.bundle.schema import Preprocess
from residua.bundle.store import WEIGHTS
from residua.engines.graph.openvino import build_features
from residua.pixels.decode import read_picture
from residua.pixels.geometry import lay_out
from residua.pixels.limits import Limits
from residua.serve.answering.pictures import Answerer, Picture, decode
from residua.serve.models.model import Model
from residua.serve.refusals import Kind, Refusal, late, refuse_picture

_SIDE = 1024  # pixels; only the picture's proportions are wanted


@dataclass(frozen=True, slots=True)
class _Maps:
    """The compiled graph of a model's features, and its classifier."""

    features: ov.CompiledModel
    weight: np.ndarray  # [classes, channels]
    bias: np.ndarray  # [classes]


class Explainer:
    """Explains pictures one after the other, in a thread. Belongs to one event loop."""

    def __init__(self, answerer: Answerer) -> None:
        """Nothing is compiled before it is asked for."""
        self._answerer = answerer
        self._thread = ThreadPoolExecutor(1, "explain")
        self._maps: WeakKeyDictionary[Model, _Maps] = WeakKeyDictionary()

    async def explain(
        self, model: Model, picture: Picture, class_id: int | None, timeout: float | None
    ) -> dict[str, Any]:
        """Return the map of a class, the best one where None is given. Raises Refusal."""
        classes = model.manifest.classes
        if class_id is not None and not 0 <= class_id < len(classes):
            raise Refusal(Kind.INVALID, f"class_id {class_id} is not in 0…{len(classes) - 1}.")
        if not isinstance(picture.content, bytes):
            raise Refusal(Kind.INVALID, "Send the picture itself, not its address.")
        seconds, deadline = self._answerer.set_deadline(timeout)
        [row] = await self._answerer.answer(model, [picture], timeout)
        if isinstance(row, Refusal):
            raise row
        chosen = int(np.argmax(row)) if class_id is None else class_id
        loop = asyncio.get_running_loop()
        with self._answerer.house.admit_images(1, deadline - loop.time()):
            try:
                async with asyncio.timeout_at(deadline):
                    found = await loop.run_in_executor(
                        self._thread, self._map, model, picture, chosen
                    )
            except TimeoutError:
                raise late(seconds) from None
        return {
            "model": model.name,
            "version": model.version,
            "class_id": chosen,
            "label_name": classes.names[chosen],
            "score": round(float(row[chosen]), 5),
            **found,
        }

    def _map(self, model: Model, picture: Picture, chosen: int) -> dict[str, Any]:
        maps = self._maps.get(model)
        if maps is None:
            maps = self._maps[model] = _compile(model)
        limits, preprocess = self._answerer.settings.limits, model.manifest.preprocess
        crop = decode(picture, preprocess, limits)
        features = maps.features([crop[None]])[0][0]  # [channels, h, w]
        heat = np.einsum("k,khw->hw", maps.weight[chosen], features)
        return {
            "map": [[round(float(value), 4) for value in line] for line in heat],
            "bias": round(float(maps.bias[chosen]), 5),
            "box": find_box(picture, preprocess, limits),
        }


def _compile(model: Model) -> _Maps:
    try:
        model.bundle.verify(WEIGHTS)
        tensors = model.bundle.tensors()
    except (ResiduaError, OSError) as error:
        raise Refusal(
            Kind.UNAVAILABLE, f"The weights of {model.name} on the disk are no longer those served."
        ) from error
    if "head.weight" not in tensors:
        raise Refusal(Kind.INVALID, f"{model.name} has no linear classifier to explain.")
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(build_features(model.manifest, tensors), "CPU", settings)
    return _Maps(compiled, tensors["head.weight"], tensors["head.bias"])


def find_box(picture: Picture, preprocess: Preprocess, limits: Limits) -> list[float]:
    """Return the part of the upright picture that is the crop: left, top, width, height in 0…1.

    A padded picture's crop reaches beyond it: then numbers are negative or above 1.
    """
    assert isinstance(picture.content, bytes)  # noqa: S101  # ours: checked before
    try:
        opened = read_picture(
            picture.content, limits=limits, name=picture.name, colour=preprocess.colour,
            min_side=_SIDE,
        )  # fmt: skip
    except ImageError as error:
        raise refuse_picture(error) from error
    layout, crop = lay_out(*opened.size, preprocess), preprocess.crop_size
    box = (
        layout.left / layout.width, layout.top / layout.height,
        crop / layout.width, crop / layout.height,
    )  # fmt: skip
    return [round(value, 5) for value in box]
