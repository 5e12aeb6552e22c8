"""``Global``, ``AMP`` and ``EMA``: length, record, number format, average."""

from pathlib import Path
from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section

_CPU = {"cpu"}
_GPU = {"gpu", "cuda"}
_SAVED = "a checkpoint follows every epoch, the last two are kept"


def find_device(general: Section) -> str:
    """Return "auto" or "cpu", as ``device`` or ``use_gpu`` says."""
    named = str(general.take("device", "gpu")).lower()
    if "use_gpu" in general:
        named = "gpu" if general.flag("use_gpu", True) else "cpu"
    if named not in _CPU | _GPU:
        general.findings.ignore(general.where("device"), f"{named} is not driven from here: auto")
    return "cpu" if named in _CPU else "auto"


def find_output(configuration: Configuration) -> Path:
    """Return the bundle that training writes: ``output/ResNet50/best_model.bundle``."""
    general, arch = configuration.whole.part("Global"), configuration.whole.part("Arch")
    folder = general.text("output_dir", "./output/")
    return Path(folder) / arch.text("name") / "best_model.bundle"


def translate_general(configuration: Configuration) -> dict[str, Any]:
    """Return the keys of ``loop``, ``evaluate`` and ``output`` that ``Global`` spells."""
    general = configuration.whole.part("Global")
    find_device(general)
    ignore_what_training_has_not(general)
    if general.text("train_mode", "classification") not in {"classification", "default"}:
        raise general.refused(
            "train_mode", f"is {general.take('train_mode')}, which residua has not"
        )
    mode = general.text("eval_mode", "classification")
    if mode != "classification":
        raise general.refused("eval_mode", f"is {mode}: residua classifies")
    general.expect("iter_per_epoch", None, why="and an epoch is all pictures here")
    epochs = general.whole("epochs", 120)
    if not 1 <= epochs <= 1_000_000:
        raise general.refused("epochs", f"is {epochs}")
    every = general.whole("eval_interval", 1)
    values: dict[str, Any] = {
        "loop.epochs": epochs, "loop.log_every": max(general.whole("print_batch_step", 10), 1),
        "evaluate.every": max(min(every, epochs), 1), "evaluate.keep": "best",
    }  # fmt: skip
    if not general.flag("eval_during_train", True):
        values |= {"evaluate.every": epochs, "evaluate.keep": "last"}
    seed = general.take("seed")
    if seed not in (None, False):
        values["loop.seed"] = general.whole("seed")
    if general.flag("use_visualdl"):
        values["output.track"] = ["tensorboard"]
        general.findings.note("Global.use_visualdl: the numbers go to TensorBoard instead.")
    return values


def ignore_what_training_has_not(general: Section) -> None:
    """Take note of what ``Global`` says that changes no weight."""
    for key in ("output_dir", "save_inference_dir", "checkpoints"):
        general.take(key)  # of the commands
    general.ignore("save_interval", reason=_SAVED)
    general.ignore("start_eval_epoch", reason="validation begins with the first epoch due")
    general.ignore("to_static", reason="there is one graph; compiling is -o precision.compile=true")
    general.ignore(
        "use_dali", reason="pictures are decoded on the processor, the rest on the device"
    )
    general.ignore(
        "log_ranks", "print_mem_info", "uniform_output_enabled", "export_for_fd",
        reason="the bundle and the record of the run have it all",
    )  # fmt: skip
    general.ignore("image_channel", reason="pictures have three channels")
    general.flag("use_multilabel")


def read_image_shape(general: Section) -> int:
    """Return the side of ``image_shape`` in pixels; 0 where it is not given."""
    shape = [int(side) for side in general.numbers("image_shape")]
    if not shape:
        return 0
    if len(shape) != 3 or shape[1] != shape[2]:
        raise general.refused(
            "image_shape", f"is {shape}; expected are channels and twice one side"
        )
    if shape[0] not in {3, 4}:
        raise general.refused("image_shape", f"has {shape[0]} channels")
    return shape[1]


def translate_precision(configuration: Configuration) -> dict[str, Any]:
    """Return the number format of training."""
    part = configuration.whole.part("AMP")
    if not part.flag("use_amp", bool(part.content) and "use_amp" not in part.content):
        part.skip()
        return {"precision.compute": "fp32"}
    part.ignore(
        "scale_loss", "use_dynamic_loss_scaling", "use_promote",
        reason="gradients of float16 are scaled by torch's scaler, which adapts",
    )  # fmt: skip
    part.ignore("use_fp16_test", reason="validation computes in float32, as the bundle will")
    if part.text("level", "O1").upper() == "O2":
        part.findings.note(f"{part.where('level')} is O2; weights stay float32 here, as in O1.")
    return {"precision.compute": "fp16"}


def translate_average(configuration: Configuration) -> dict[str, Any]:
    """Return the average of the weights, if ``EMA`` is there."""
    part = configuration.whole.part("EMA")
    if "EMA" not in configuration.whole.content:
        return {}
    part.findings.note("EMA: the average alone is validated; PaddleClas keeps the better of both.")
    return {
        "average.kind": "ema", "average.decay": part.number("decay", 0.9999),
        "average.warmup": False,
    }  # fmt: skip
