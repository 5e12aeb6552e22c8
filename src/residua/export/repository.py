"""Model repositories: the folders that Triton and OpenVINO Model Server (OVMS) serve from.

    triton/                        ovms/
      NAME/                          config.json        where the model lies, for several of them
        config.pbtxt                 NAME/
        labels.txt                     labels.txt
        1/model.onnx                   1/model.xml  model.bin

NAME is the bundle's, 1 the version. Sources: docs/user_guide/model_configuration.md of Triton,
docs/models_repository_classic.md and docs/parameters.md of OVMS.
"""

import json
import re
import shutil
from pathlib import Path

from residua.bundle.schema import Export, Manifest
from residua.bundle.store import Bundle
from residua.export.metadata import describe

_LARGEST_BATCH = 64
_VERSION = "1"


def lay_out(kind: str, bundle: Bundle, folder: Path, export: Export) -> Export:
    """Turn the files of ``export`` in ``folder`` into a repository of ``kind``: triton or ovms."""
    name = name_model(bundle.path)
    files = list(folder.iterdir())
    version = folder / name / _VERSION
    version.mkdir(parents=True)
    for file in files:
        shutil.move(file, version / file.name)
    (folder / name / "labels.txt").write_text(spell_labels(bundle.manifest), encoding="utf-8")
    if kind == "triton":
        config = spell_triton(name, bundle.manifest, export)
        (folder / name / "config.pbtxt").write_text(config, encoding="utf-8")
    else:
        (folder / "config.json").write_text(spell_ovms(name), encoding="utf-8")
    entry = f"{name}/{_VERSION}/{export.entry}"
    return export.model_copy(update={"format": kind, "entry": entry})


def name_model(path: Path) -> str:
    """Return the name under which a bundle is served: its folder's, of plain characters.

    >>> name_model(Path("runs/my flowers.bundle"))
    'my_flowers'
    """
    stem = path.resolve().name.removesuffix(".bundle")
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._") or "model"


def spell_labels(manifest: Manifest) -> str:
    """Return the class names, a line each, in the order of the outputs."""
    return "".join(f"{' '.join(name.split())}\n" for name in manifest.classes.names)


def spell_triton(name: str, manifest: Manifest, export: Export) -> str:
    """Return Triton's config.pbtxt; what an artefact says of itself goes in as parameters."""
    preprocess = manifest.preprocess
    side = -1 if export.input == "image" else preprocess.crop_size
    shown = max(side, 1) if export.input == "crop" else 256
    texts = describe(manifest, export.input)
    texts.pop("classes")  # labels.txt has them
    texts.pop("class_ids")
    parameters = "\n".join(
        f"parameters {{ key: {_quote(key)} value {{ string_value: {_quote(text)} }} }}"
        for key, text in texts.items()
    )
    return f"""# Requests are batched as they come: none waits for others.
name: {_quote(name)}
backend: "onnxruntime"
max_batch_size: {_LARGEST_BATCH}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [ {side}, {side}, {preprocess.channels} ] }}
]
output [
  {{
    name: "probabilities"
    data_type: TYPE_FP32
    dims: [ {len(manifest.classes)} ]
    label_filename: "labels.txt"
  }}
]
dynamic_batching {{ }}
model_warmup [
  {{
    name: "black"
    batch_size: 1
    inputs {{
      key: "image"
      value {{
        data_type: TYPE_UINT8
        dims: [ {shown}, {shown}, {preprocess.channels} ]
        zero_data: true
      }}
    }}
  }}
]
{parameters}
"""


def spell_ovms(name: str) -> str:
    """Return OVMS's config.json, for a repository mounted at /models."""
    config = {
        "name": name,
        "base_path": f"/models/{name}",
        "layout": {"image": "NHWC:NHWC"},
        "plugin_config": {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
    }
    return f"{json.dumps({'model_config_list': [{'config': config}]}, indent=1)}\n"


def _quote(text: str) -> str:
    """Return ``text`` as a string of protobuf's text format, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
