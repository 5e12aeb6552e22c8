"""Every format x parity x latency, for seven networks of the series.

python benchmarks/export_table.py [--models ResNet18 …] [--formats onnx openvino …]

Writes results/export_table.json, where earlier figures of other models and formats stay, so that
it can be run in parts; prints the table for the README. Weights that are not here are random.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from recording import RESULTS, write_result
from residua.base.errors import ResiduaError
from residua.bench.record import Measurement
from residua.bench.run import run_benchmark
from residua.bench.subject import open_subject
from residua.bundle.store import read_bundle
from residua.engines.open import make_demand
from residua.export.formats import FORMATS
from residua.export.run import export_bundle
from residua.export.write import require_libraries

MODELS = (
    "ResNet18", "ResNet50", "ResNet50_vd", "SE_ResNet50_vd", "ResNet200_vd", "Res2Net50_vd_26w_4s",
    "ResNeXt50_32x4d",
)  # fmt: skip
BATCHES = (1, 8)


def measure_model(model: str, formats: list[str], seconds: float, folder: Path) -> dict[str, Any]:
    """Return a record for each format of one model: its parity and its latency, or why not."""
    subject = open_subject(model, folder)
    path = folder / f"{subject.name}.bundle"
    if subject.bundle.path != path:  # of the cache: exports go into a copy
        shutil.copytree(subject.bundle.path, path)
    weights = "random" if subject.notes else subject.bundle.manifest.provenance.source
    found: dict[str, Any] = {}
    for name in formats:
        print(f"{model}: {name} …", flush=True)
        found[name] = {"weights": weights, "title": FORMATS[name].title} | export(path, name)
    able = [name for name in formats if "error" not in found[name] and FORMATS[name].engine]
    for name, speed in measure_speed(path, able, seconds).items():
        found[name] |= speed
    return found


def export(path: Path, name: str) -> dict[str, Any]:
    """Write one format into the bundle; return its seconds, size and parity, or the error."""
    started = time.perf_counter()
    try:
        require_libraries(name)
        [outcome] = export_bundle(read_bundle(path), [name])
    except ResiduaError as error:
        return {"error": str(error)}
    if outcome.export is None:
        return {"error": str(outcome.error)}
    made = outcome.export
    return {
        "export_seconds": round(time.perf_counter() - started, 2),
        "bytes": sum(file.bytes for file in made.files.values()),
        "parity": made.parity.model_dump(mode="json") if made.parity else None,
        "versions": made.versions,
        "notes": made.notes,
    }


def measure_speed(path: Path, formats: list[str], seconds: float) -> dict[str, dict[str, Any]]:
    """Return latency, load time and memory of the exports, measured in turns, by format."""
    if not formats:
        return {}
    engines = {name: FORMATS[name].engine or "" for name in formats}
    found = run_benchmark(
        [str(path)], engines=list(engines.values()), batches=BATCHES, seconds=seconds,
        throughput=False,
    )  # fmt: skip
    by_engine = {one.engine: one for one in found.measurements}
    return {name: describe_speed(by_engine[engine], path) for name, engine in engines.items()}


def describe_speed(one: Measurement, path: Path) -> dict[str, Any]:
    """Return what of a measurement goes into the table."""
    if one.status != "measured":
        return {"speed": f"{one.status}: {one.reason}"}
    record: dict[str, Any] = {
        "latency": [each.model_dump(exclude={"share"}) for each in one.latency]
    }
    if one.latency_costs:
        record |= one.latency_costs.model_dump()
    if make_demand(read_bundle(path), one.engine, "fp32").export is None:
        record["latency_of"] = f"the {one.engine} engine on the bundle's weights"
    return record


def spell_table(models: dict[str, Any]) -> str:
    """Return the Markdown table: a row a model, a cell a format."""
    formats = [name for name in FORMATS if any(name in found for found in models.values())]
    lines = [
        "| model | " + " | ".join(formats) + " |",
        "|---|" + "---|" * len(formats),
    ]
    for model, found in models.items():
        cells = [spell_cell(found[name]) if name in found else "" for name in formats]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spell_cell(record: dict[str, Any]) -> str:
    """Return "6e-07; 19.8 ms": the largest difference of a probability, the median of batch 1."""
    if "error" in record:
        return "not installed" if "not installed" in record["error"] else "failed"
    parity = record.get("parity")
    told = f"{parity['difference']:.0e}" if parity else "not run here"
    latency = record.get("latency")
    return f"{told}; {latency[0]['median']:.1f} ms" if latency else told


def main() -> None:
    """Measure what is asked for, add it to results/export_table.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--result", default="export_table", help="the name of the file in results/")
    given = parser.parse_args()
    path = RESULTS / f"{given.result}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["models"] if path.is_file() else {}
    for model in given.models:
        with tempfile.TemporaryDirectory() as folder:
            found = measure_model(model, given.formats, given.seconds, Path(folder))
        kept[model] = kept.get(model, {}) | found
    write_result(
        given.result,
        "exports beside the float32 network on the probes, and milliseconds a run",
        "python benchmarks/export_table.py",
        {"unit": "ms a run: median, 10th and 90th percentile", "batches": BATCHES, "models": kept},
    )
    print(spell_table(kept))


if __name__ == "__main__":
    main()
