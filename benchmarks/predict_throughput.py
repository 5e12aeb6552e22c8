"""Prediction against what the machine allows, in turns: OpenVINO driven by hand, and decoding.

    RESIDUA_TEST_DATA=FOLDER python benchmarks/predict_throughput.py [FOLDER OF PHOTOS]

For each network and precision, images a second of
  raw      OpenVINO's own queue of asynchronous runs on ready crops, the best of three batch sizes;
  ready    residua's pipeline with its OpenVINO engine, on the same crops;
  decode   photos to crops on all cores, no network;
  files    residua's predictions of the photos' files;
and milliseconds of one crop at a time, raw and by residua's engine. What raw and decode allow
together on the same cores is 1 / (1/raw + 1/decode).
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import openvino as ov

from recording import RESULTS, summarise, write_result
from residua.base.machine import usable_cores
from residua.bench.stand_in import make_stand_in
from residua.bundle.schema import Parity
from residua.bundle.store import Bundle, read_bundle
from residua.cli.data_options import read_data_part
from residua.engines.open import make_demand, open_runtime
from residua.export.guard import open_guard
from residua.export.run import export_bundle
from residua.pixels.prepare import prepare
from residua.predict.classifier import Classifier
from residua.predict.pipeline import run_ahead
from residua.zoo.weights.catalogue import find_architecture

MODELS = ("ResNet18", "ResNet50_vd")
PRECISIONS = ("fp32", "bf16", "int8")
ROUNDS = 7
COUNT = 180
COLUMNS = ["data.label_column=index", "data.image_column=file"]  # of photos/ in the test data
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def find_photos() -> list[Path]:
    """Return the photos, again and again until there are COUNT."""
    data = os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data"
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path(data) / "photos"
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpeg", ".jpg"})
    return (found * (COUNT // len(found) + 1))[:COUNT]


def compile_raw(bundle: Bundle, precision: str, hint: str) -> ov.CompiledModel:
    """Return the exported graph, compiled as OpenVINO's documentation does."""
    export = make_demand(bundle, "openvino", precision).export
    assert export is not None
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": HINTS[precision]}
    return ov.Core().compile_model(bundle.path / export.entry, "CPU", settings)


def export(bundle: Bundle, photos: Path) -> Bundle:
    """Return the bundle with OpenVINO graphs in float32 and int8, nothing kept in float32.

    Speed alone is wanted: rounding turns the answers of random weights upside down, which the gate
    is kept from looking at.
    """
    assert all(one.error is None for one in export_bundle(bundle, ["openvino"]))
    guard = open_guard(bundle, str(photos), settings=read_data_part(COLUMNS))
    passed = Parity(inputs=1, agreement=1, difference=0, cosine=1)
    with patch("residua.export.run.examine", lambda *_: (passed, ())):
        made = export_bundle(bundle, ["openvino"], precision="int8", guard=guard, max_drop=1.0)
        assert all(one.error is None for one in made)
    return read_bundle(bundle.path)


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many of ``count`` a second ``work`` does."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def run_raw(compiled: ov.CompiledModel, crops: np.ndarray, size: int) -> None:
    """Run all crops through OpenVINO's queue, every answer fetched."""
    queue = ov.AsyncInferQueue(compiled)
    answers: list[np.ndarray] = []
    queue.set_callback(lambda request, _: answers.append(request.get_output_tensor().data.copy()))
    for first in range(0, len(crops), size):
        queue.start_async({0: crops[first : first + size]}, share_inputs=True)
    queue.wait_all()
    assert sum(len(answer) for answer in answers) == len(crops)


def run_one_by_one(run: Callable[[np.ndarray], object], crops: np.ndarray) -> float:
    """Return the median milliseconds of 20 runs of one crop."""
    times = []
    for index in range(20):
        started = time.perf_counter()
        run(crops[index : index + 1])
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def make_works(bundle: Bundle, precision: str, photos: list[Path]) -> dict[str, Any]:
    """Return what is measured, by name: each a function that gives its figure."""
    preprocess = bundle.manifest.preprocess
    with ThreadPoolExecutor(usable_cores()) as pool:
        crops = np.stack(
            list(pool.map(lambda path: prepare(path.read_bytes(), preprocess), photos))
        )
    many = Classifier(bundle, hint="throughput")
    demand = make_demand(bundle, "openvino", precision)
    many.engine = open_runtime("openvino", replace(demand, hint="throughput"))
    one = open_runtime("openvino", demand)
    compiled = compile_raw(bundle, precision, "THROUGHPUT")
    request = compile_raw(bundle, precision, "LATENCY").create_infer_request()

    def run_pipeline() -> None:
        engine = many.engine
        for _ in run_ahead(crops, lambda crop: crop, engine, batch_size=engine.good_batch):
            pass

    def decode_all() -> None:
        with ThreadPoolExecutor(usable_cores()) as pool:
            list(pool.map(lambda path: prepare(path.read_bytes(), preprocess), photos))

    def predict_all() -> None:
        assert all(prediction.ok for prediction in many.predict(photos))

    works: dict[str, Any] = {
        f"raw, batch {size}": partial(rate, COUNT, partial(run_raw, compiled, crops, size))
        for size in (1, 4, 8)
    }
    works |= {
        "ready": partial(rate, COUNT, run_pipeline),
        "decode": partial(rate, COUNT, decode_all),
        "files": partial(rate, COUNT, predict_all),
        "raw, one crop: ms": partial(
            run_one_by_one, lambda crop: request.infer({0: crop}, share_inputs=True)[0], crops
        ),
        "residua, one crop: ms": partial(run_one_by_one, one.run, crops),
    }
    return works | {"engine": many.engine.name}


def measure(works: dict[str, Any]) -> dict[str, Any]:
    """Return the figures, and what the targets are stated in, by turn."""
    engine = works.pop("engine")
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name in list(works) if turn % 2 else list(works)[::-1]:
            value = works[name]()
            if turn:  # the first warms up
                found[name].append(value)
    raw = max(
        (values for name, values in found.items() if name.startswith("raw, batch")),
        key=statistics.median,
    )
    allowed = [1 / (1 / a + 1 / b) for a, b in zip(raw, found["decode"], strict=True)]

    def ratio(above: list[float], below: list[float]) -> dict[str, Any]:
        return summarise([a / b for a, b in zip(above, below, strict=True)])

    return {
        "engine": engine,
        **{name: summarise(values) for name, values in found.items()},
        "ready to raw": ratio(found["ready"], raw),
        "files to what raw and decode allow": ratio(found["files"], allowed),
        "one crop, residua to raw": ratio(
            found["residua, one crop: ms"], found["raw, one crop: ms"]
        ),
    }


def main() -> None:
    """Measure and write results/predict_throughput.json."""
    photos = find_photos()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            bundle = make_stand_in(Path(folder) / f"{model}.bundle", find_architecture(model))
            bundle = export(bundle, photos[0].parent)
            for precision in PRECISIONS:
                figures[f"{model} {precision}"] = measure(make_works(bundle, precision, photos))
                print(model, precision, flush=True)
    write_result(
        "predict_throughput",
        f"images a second on {COUNT} photos, and milliseconds of one crop: residua against "
        "OpenVINO driven by hand and decoding",
        "python benchmarks/predict_throughput.py",
        {"unit": "images a second, or ms where said", "models": figures},
    )


if __name__ == "__main__":
    main()
