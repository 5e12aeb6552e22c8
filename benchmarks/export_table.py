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
from residua.bench.run import run_benchmark
from residua.bench.subject import open_subject
from residua.bundle.store import read_bundle
from residua.engines.open import make_demand
from residua.export.formats import FORMATS
from residua.export.run import export_bundle, require_libraries

MODELS = (
    "ResNet18", "ResNet50", "ResNet50_vd", "SE_ResNet50_vd", "ResNet200_vd", "Res2Net50_vd_26w_4s",
    "ResNeXt50_32x4d",
)  # fmt: skip
BATCHES = (1, 8)


def measure_model(model: str, formats: list[str], seconds: float, folder: Path) -> dict[str, Any]:
    """Return a record for each format of one model: its parity and its latency, or why not."""
    subject = open_subject(model, folder)
    bundle = subject.bundle
    if folder not in bundle.path.parents:  # of the cache: exports go into a copy
        bundle_path = folder / f"{subject.name}.bundle"
        shutil.copytree(bundle.path, bundle_path)
        bundle = open_subject(str(bundle_path), folder).bundle
    weights = " ".join(subject.notes) or bundle.manifest.provenance.source
    found: dict[str, Any] = {}
    for name in formats:
        record: dict[str, Any] = {"weights": weights, "title": FORMATS[name].title}
        print(f"{model}, {name} …", flush=True)
        try:
            require_libraries(name)
            started = time.perf_counter()
            [outcome] = export_bundle(bundle, [name])
            record["export_seconds"] = round(time.perf_counter() - started, 2)
            if outcome.error is not None:
                raise outcome.error
        except ResiduaError as error:
            found[name] = record | {"error": str(error)}
            continue
        if outcome.export is not None:
            record |= describe_export(outcome.export)
        engine = FORMATS[name].engine
        if engine is not None:
            record |= measure_speed(str(bundle.path), engine, seconds)
            opened = read_bundle(bundle.path)
            if make_demand(opened, engine, "fp32").export is None:
                record["latency_of"] = f"the {engine} engine on the bundle's weights"
        found[name] = record
    return found


def describe_export(export: Any) -> dict[str, Any]:
    """Return size and parity of an artefact."""
    size = sum(file.bytes for file in export.files.values())
    parity = export.parity.model_dump(mode="json") if export.parity else None
    return {"bytes": size, "parity": parity, "versions": export.versions, "notes": export.notes}


def measure_speed(path: str, engine: str, seconds: float) -> dict[str, Any]:
    """Return the latency of the exported artefact, in a process of its own."""
    found = run_benchmark(
        [path], engines=[engine], batches=BATCHES, seconds=seconds, throughput=False
    )
    one = found.measurements[0]
    if one.status != "measured":
        return {"error": f"{one.status}: {one.reason}"}
    costs = one.latency_costs
    return {
        "latency": [each.model_dump() for each in one.latency],
        "load_seconds": costs.load_seconds if costs else None,
        "peak_memory": costs.peak_memory if costs else None,
    }


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
