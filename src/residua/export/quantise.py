"""int8: the graph quantised by NNCF, as far as the score on given pictures allows.

Weights are int8 for each channel, activations 8 bits over the ranges that the calibration pictures
show. Layers whose quantisation costs most go back to float32 until the score holds.
"""

import contextlib
import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.base.errors import EngineError
from residua.base.machine import has_int8_dots
from residua.bundle.schema import Drop
from residua.bundle.store import Bundle
from residua.evaluate.run import Network
from residua.export.guard import Guard

os.environ.setdefault("NNCF_CI", "1")  # keeps NNCF from reporting its use to its makers

import nncf  # after the line above
from nncf.quantization.advanced_parameters import (
    AdvancedAccuracyRestorerParameters,
    AdvancedQuantizationParameters,
    OverflowFix,
)

nncf.set_log_level(logging.ERROR)
_MOST_REVERTED = 12  # layers; where more would have to go back, int8 is not the way
_RANKED_ON = 100  # crops, to tell which layer costs most


@dataclass(frozen=True, slots=True)
class Backend:
    """How NNCF's models of one format are made, run and counted.

    ``run`` takes a model, or what NNCF has made of one to run it; ``count`` gives the layers that
    have weights, and those of them in float32.
    """

    build: Callable[[Bundle], Any]
    run: Callable[[Any], Network]
    count: Callable[[Any], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Some:
    """Some of the crops, at ``places`` among all: NNCF asks for them to rank layers."""

    places: list[int]
    crops: Iterable[np.ndarray]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.crops)


class _Crops(nncf.Dataset):  # type: ignore[misc]  # NNCF has no types
    """The crops; a selection of them says which they are."""

    def get_data(self, indices: list[int] | None = None) -> Any:
        found = super().get_data(indices)
        return found if indices is None else _Some(indices, found)


def closeness(wanted: np.ndarray, answer: np.ndarray) -> float:
    """Return how near an answer is to another, both [classes]: 0 at best, else below.

    Layers are ranked by it and not by the score, of which a few pictures know a few values only.
    """
    return -float(np.square(wanted - answer).sum() / np.square(wanted).sum())


def quantise(bundle: Bundle, backend: Backend, guard: Guard, max_drop: float) -> tuple[Any, Drop]:
    """Return the int8 model of a format, and what it costs.

    ``max_drop`` is a share of the score: 0.005 is half a point. Raises EngineError with the figures
    where it cannot be held.
    """
    model = backend.build(bundle)
    before = guard.judge(backend.run(model))
    reduced = not has_int8_dots()
    crops = _Crops(list(guard.crops), lambda crop: {"image": crop[None]})
    wanted = [backend.run(model)(crop[None])[0] for crop in guard.crops]

    def judge(prepared: Any, items: Iterable[np.ndarray]) -> tuple[float, list[float]]:
        run = backend.run(prepared)
        places = items.places if isinstance(items, _Some) else range(len(wanted))
        near = [
            closeness(wanted[place], run(crop[None])[0])
            for place, crop in zip(places, items, strict=True)
        ]
        return (float(np.mean(near)) if isinstance(items, _Some) else guard.judge(run)), near

    with contextlib.redirect_stdout(io.StringIO()):  # NNCF's bars
        quantised = nncf.quantize_with_accuracy_control(
            model,
            crops,
            crops,
            judge,
            max_drop=max_drop,
            drop_type=nncf.DropType.ABSOLUTE,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(guard.crops),
            advanced_quantization_parameters=AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE if reduced else OverflowFix.DISABLE,
                # It makes these networks worse (LOG.md, "int8 without correction of biases").
                disable_bias_correction=True,
            ),
            advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
                max_num_iterations=_MOST_REVERTED,
                ranking_subset_size=min(len(guard.crops), _RANKED_ON),
            ),
        )
    layers, kept = backend.count(quantised)
    drop = Drop(
        data=guard.data, images=guard.images, score=guard.score, fp32=before,
        int8=guard.judge(backend.run(quantised)), allowed=max_drop, layers=layers, kept=kept,
        calibrated_on=len(guard.crops), reduced_range=reduced,
    )  # fmt: skip
    if drop.drop > max_drop or kept == layers:
        raise refuse_drop(drop)
    return quantised, drop


def refuse_drop(drop: Drop) -> EngineError:
    """Return the error with the table of an int8 export that costs too much."""
    return EngineError(
        f"int8 costs more than the {100 * drop.allowed:g} points of {drop.score} that are "
        f"allowed, so it was not written:\n"
        f"  float32   {drop.fp32:.2%} on {drop.images} pictures of {drop.data}\n"
        f"  int8      {drop.int8:.2%}, with {drop.kept} of {drop.layers} layers left in float32",
        next_step="Allow more with --max-drop, give more pictures to --calibrate, or fine-tune "
        "for int8 first: residua train DATA --pretrained YOUR.bundle --quantise",
    )


def for_openvino() -> Backend:
    """Return the backend of OpenVINO graphs."""
    import openvino as ov

    from residua.engines.graph.openvino import build_model

    def run(model: Any) -> Network:
        compiled = model
        if isinstance(model, ov.Model):
            options = {"INFERENCE_PRECISION_HINT": "f32"}
            compiled = ov.Core().compile_model(model, "CPU", options)
        return lambda batch: np.array(compiled(batch)[0])

    def count(model: ov.Model) -> tuple[int, int]:
        kinds = {"Convolution", "GroupConvolution", "MatMul"}
        layers = [node for node in model.get_ops() if node.get_type_name() in kinds]
        weights = [layer.input_value(1).get_node().get_type_name() for layer in layers]
        return len(layers), weights.count("Constant")

    return Backend(lambda b: build_model(b.manifest, b.tensors()), run, count)


def for_onnx() -> Backend:
    """Return the backend of ONNX graphs, which get QuantizeLinear and DequantizeLinear."""
    import onnx
    import onnxruntime as ort

    from residua.engines.graph.onnx import build_model

    def run(model: onnx.ModelProto) -> Network:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return lambda batch: np.asarray(session.run(None, {"image": batch})[0])

    def count(model: onnx.ModelProto) -> tuple[int, int]:
        made = {name: node.op_type for node in model.graph.node for name in node.output}
        layers = [node for node in model.graph.node if node.op_type in {"Conv", "Gemm"}]
        sources = [made.get(layer.input[1]) for layer in layers]
        return len(layers), len(layers) - sources.count("DequantizeLinear")

    return Backend(lambda b: build_model(b.manifest, b.tensors()), run, count)
