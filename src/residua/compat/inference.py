"""The parts of a configuration that predict: ``Infer``, and deploy/configs/inference_cls.yaml."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from residua.base.errors import SettingError
from residua.bundle.schema import Classes, Manifest, Preprocess
from residua.bundle.store import Bundle
from residua.compat.answers import Decision
from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.compat.translate.data import find_label_map
from residua.compat.translate.general import find_device
from residua.compat.translate.testing_operators import Steps, read_preprocess
from residua.data.sources.class_lists import read_classes

_SPEED = "the fastest engine whose answers agree is taken"


@dataclass(frozen=True, slots=True)
class Inference:
    """What is predicted, and how.

    ``preprocess`` is what the configuration says; ``insisted`` that the command line said so.
    """

    images: str
    batch_size: int = 1
    top_k: int | None = 5
    threshold: float | None = None
    decision: Decision | None = None
    label_map: str = ""
    preprocess: Preprocess | None = None
    insisted: bool = False
    device: str = "auto"
    engine: str = "auto"
    precision: str = "fp32"
    threads: int | None = None
    save: str = ""


def read_inference(configuration: Configuration) -> Inference:
    """Return what ``Infer`` of a training configuration says. Raises SettingError."""
    part = configuration.whole.part("Infer")
    process = part.part("PostProcess")
    cut = _read_cut(process, process.text("name", "Topk"))
    steps = part.steps("transforms")
    found = Inference(
        part.text("infer_imgs"), _read_batch(part),
        preprocess=_read_steps(steps, part.where("transforms")),
        insisted=configuration.says("Infer.transforms"),
        device=find_device(configuration.whole.part("Global")), save=part.text("save_dir"), **cut,
    )  # fmt: skip
    return replace(found, label_map=find_label_map(configuration, process))


def is_deployment(configuration: Configuration) -> bool:
    """Tell whether a configuration is one of deploy/configs: it predicts with exported models."""
    return "inference_model_dir" in configuration.whole.part("Global").content


def read_deployment(configuration: Configuration) -> tuple[str, Inference]:
    """Return the model's folder and the rest of a configuration of deploy/configs.

    Raises SettingError for what would change the answers, and for unknown keys.
    """
    whole = configuration.whole
    general, process = whole.part("Global"), whole.part("PostProcess")
    steps = whole.part("PreProcess").steps("transform_ops")
    kind = process.text("main_indicator", "Topk")
    process.ignore("SavePreLabel", reason="answers go to standard output, with --json as JSON")
    found = Inference(
        general.text("infer_imgs"), _read_batch(general),
        preprocess=_read_steps(steps, "PreProcess.transform_ops"),
        insisted=configuration.says("PreProcess"), **_read_engine(general),
        **_read_cut(process.part(kind), kind),
    )  # fmt: skip
    folder = general.text("inference_model_dir")
    label_map = find_label_map(configuration, process.part(kind))
    whole.close()
    return folder, replace(found, label_map=label_map)


def adapt(bundle: Bundle, wanted: Inference, configuration: Configuration, *, own: bool) -> Bundle:
    """Return ``bundle`` with the names and, if it must be, the preparation of a configuration.

    A bundle has its ``own`` preparation, which training validated: what stands in the file does not
    change it, what the command line says does. A weight file has none: the configuration's counts.
    """
    manifest = name_as(bundle.manifest, wanted, configuration)
    insisted = wanted.insisted or not own
    return Bundle(
        bundle.path, prepare_as(manifest, wanted.preprocess, configuration, insisted=insisted)
    )


def name_as(manifest: Manifest, wanted: Inference, configuration: Configuration) -> Manifest:
    """Return ``manifest`` with the names of the label map, if there is one for its classes."""
    if not wanted.label_map:
        return manifest
    names = read_classes(Path(wanted.label_map), numbered=True).names
    if len(names) == len(manifest.classes):
        return manifest.model_copy(update={"classes": Classes(names=names)})
    problem = (
        f"{wanted.label_map} names {len(names)} classes, and the network has "
        f"{len(manifest.classes)}"
    )
    if any(key.endswith("class_id_map_file") for key in configuration.said):
        raise SettingError(f"{problem}.")
    configuration.findings.note(f"{problem}: its own names stand.")
    return manifest


def prepare_as(
    manifest: Manifest, wanted: Preprocess | None, configuration: Configuration, *, insisted: bool
) -> Manifest:
    """Return ``manifest`` with the preparation ``wanted`` where that is ``insisted`` on."""
    own = manifest.preprocess
    if wanted is None or wanted == own:
        return manifest
    if insisted:
        # Exports normalise as they were written: with another mean they are no longer its own.
        same = (wanted.mean, wanted.std) == (own.mean, own.std)
        exports = manifest.exports if same else {}
        return manifest.model_copy(update={"preprocess": wanted, "exports": exports})
    differing = [
        f"{name} {getattr(wanted, name)} (its own: {getattr(own, name)})"
        for name in type(own).model_fields
        if getattr(wanted, name) != getattr(own, name)
    ]
    configuration.findings.note(
        "Pictures are prepared as the classifier was validated, not as the file says: "
        f"{', '.join(differing)}. What -o says of the transforms counts."
    )
    return manifest


def _read_batch(part: Section) -> int:
    size = part.whole("batch_size", 1)
    if size < 1:
        raise part.refused("batch_size", f"is {size}")
    return size


def _read_steps(steps: Steps, place: str) -> Preprocess | None:
    return read_preprocess(steps, place) if steps else None


def _read_cut(process: Section, kind: str) -> dict[str, Any]:
    """Return what of an answer is shown."""
    if kind == "DistillationPostProcess":
        process.ignore("model_name", "key", reason="the student is what predicts")
        kind = process.text("func", "Topk")
    process.ignore("delimiter", reason="lines of a label map begin with the number")
    match kind:
        case "Topk":
            return {"top_k": process.whole("topk", 5)}
        case "MultiLabelThreshOutput":
            return {"top_k": None, "threshold": process.number("threshold", 0.5)}
        case "ThreshOutput":
            labels = process.text("label_0", "0"), process.text("label_1", "1")
            fallback = process.whole("default_label_index", 0)
            return {"decision": Decision(process.number("threshold", 0.0), labels, fallback)}
    raise process.refused(
        "name", f"is {kind}, which residua has not",
        "It has Topk, ThreshOutput and MultiLabelThreshOutput.",
    )  # fmt: skip


def _read_engine(general: Section) -> dict[str, Any]:
    """Return device, engine and number format of a deployment. Raises SettingError."""
    general.ignore(
        "enable_mkldnn", "ir_optim", "gpu_mem", "min_subgraph_size", "workspace_size", reason=_SPEED
    )  # fmt: skip
    general.ignore(
        "enable_benchmark",
        "enable_profile",
        "benchmark",
        reason="times are measured by residua bench",
    )
    for key in ("use_npu", "use_xpu", "use_mlu", "use_gcu"):
        general.expect(key, False, why="and such devices are not driven from here")
    engine = "auto"
    if general.flag("use_onnx"):
        engine = "onnxruntime"
    if general.flag("use_tensorrt"):
        engine = "tensorrt"
    precision = "fp32"
    if general.flag("use_fp16"):
        precision = "fp16"
    if general.flag("use_int8"):
        precision = "int8"
    on_cpu = find_device(general) == "cpu"
    if engine == "tensorrt" and on_cpu:
        general.findings.note("Global.use_tensorrt is left, since Global.use_gpu is False.")
        engine = "auto"
    threads = general.whole("cpu_num_threads", 0) or None
    return {
        "device": "cpu" if on_cpu else "auto", "engine": engine, "precision": precision,
        "threads": threads,
    }  # fmt: skip
