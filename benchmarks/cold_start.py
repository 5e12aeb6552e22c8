"""Process start to first answer: `residua predict one.jpg` of an exported ResNet50_vd, broken down.

RESIDUA_TEST_DATA=FOLDER python benchmarks/cold_start.py

Beside it the same command with other engines, and a bare process that does as little as can be done
with OpenVINO: import, compile from the same kind of cache, decode with Pillow, run. In turns.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import RESULTS, summarise, write_result
from residua.bench.stand_in import make_stand_in
from residua.export.run import export_bundle
from residua.zoo.weights.catalogue import find_architecture

DATA = Path(os.environ.get("RESIDUA_TEST_DATA") or RESULTS.parent.parent / "shared" / "data")
ROUNDS = 15
BARE = """
import sys
import numpy as np
import openvino
from PIL import Image
graph, cache, picture = sys.argv[1:]
settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": cache}
network = openvino.Core().compile_model(graph, "CPU", settings)
image = Image.open(picture).convert("RGB").resize((256, 256)).crop((16, 16, 240, 240))
print(network([np.asarray(image)[None]])[0].argmax(), flush=True)
"""
# What the command does, a stage at a time, each end told on the clock that processes share.
STAGES = """
import sys, time
ends = [("Python starts", time.perf_counter())]
def end(stage):
    ends.append((stage, time.perf_counter()))
import residua.cli.main
end("command line imported")
import residua.predict.classifier
end("decoders, numpy and records imported")
classifier = residua.predict.classifier.load(sys.argv[1])
end("OpenVINO imported beside the SHA-256 of the weights, graph opened from the cache")
answer = next(classifier.predict(sys.argv[2]))
end("decoded, first run of the network")
for stage, moment in ends:
    print(moment, stage)
"""


def time_process(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds until a process has printed a line, and until it has ended."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        answered = time.perf_counter() - started
        process.wait()
    assert process.returncode == 0
    return answered, time.perf_counter() - started


def time_stages(arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return the seconds of each stage of the command."""
    command = [sys.executable, "-c", STAGES, *arguments]
    before = time.perf_counter()
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = {}
    for line in told.stdout.splitlines():
        moment, _, stage = line.partition(" ")
        found[stage] = float(moment) - before
        before = float(moment)
    return found


def main() -> None:
    """Measure in turns and write results/cold_start.json."""
    picture = str(min((DATA / "photos").glob("*.JPEG")))
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_stand_in(Path(folder) / "x.bundle", find_architecture("ResNet50_vd"))
        assert all(one.error is None for one in export_bundle(bundle, ["openvino", "onnx"]))
        environment = os.environ | {"RESIDUA_CACHE": f"{folder}/cache"}
        predict = [sys.executable, "-m", "residua", "predict", picture, "-m", str(bundle.path)]
        graph = str(bundle.path / "exports/openvino/model.xml")
        commands = {
            "residua": predict,
            "residua --engine onnxruntime": [*predict, "--engine", "onnxruntime"],
            "residua --engine torch": [*predict, "--engine", "torch"],
            "bare OpenVINO": [sys.executable, "-c", BARE, graph, f"{folder}/bare", picture],
        }
        answers: dict[str, list[float]] = {name: [] for name in commands}
        ends: dict[str, list[float]] = {name: [] for name in commands}
        stages: list[dict[str, float]] = []
        for turn in range(ROUNDS + 2):
            order = list(commands) if turn % 2 == 0 else list(commands)[::-1]
            for name in order:
                answered, ended = time_process(commands[name], environment)
                if turn > 1:  # the first compiles, the second warms up
                    answers[name].append(answered)
                    ends[name].append(ended)
            stages.append(time_stages([str(bundle.path), picture], environment))
    write_figures(answers, ends, stages[2:])


def write_figures(
    answers: dict[str, list[float]], ends: dict[str, list[float]], stages: list[dict[str, float]]
) -> None:
    """Write what was measured, with the ratios to the bare process and to torch, by turn."""
    whole = answers["residua"]

    def ratio(other: str) -> dict[str, Any]:
        return summarise([a / b for a, b in zip(whole, answers[other], strict=True)])

    write_result(
        "cold_start",
        "seconds from process start to the first answer for one photo, ResNet50_vd exported, "
        "compiled graph in the cache",
        "python benchmarks/cold_start.py",
        {
            "unit": "seconds",
            "first answer": {name: summarise(found) for name, found in answers.items()},
            "process ended": {name: summarise(found) for name, found in ends.items()},
            "residua to bare OpenVINO": ratio("bare OpenVINO"),
            "residua to residua --engine torch": ratio("residua --engine torch"),
            "stages": {name: summarise([one[name] for one in stages]) for name in stages[0]},
        },
    )


if __name__ == "__main__":
    main()
