"""What lies beside an exported program about pixels and classes: ``inference.yml`` and the like.

Sources: PaddleClas's ``deploy/configs/inference_cls.yaml`` (the keys), ``deploy/python/
preprocess.py`` and ``postprocess.py`` (their meaning and defaults), and the ``inference.yml`` that
its export writes since 2.6 (``label_list`` in place of a file). What cannot be done the same way
here is refused, not left out.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from residua.base.errors import SettingError
from residua.bundle.classes import imagenet_classes
from residua.bundle.schema import Classes
from residua.zoo.weights.labels import parse_classes

# PaddleClas's NormalizeImage and ResizeImage, where a setting is left out.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BACKENDS = {"cv2": "opencv", "pil": "pillow"}
_IMAGENET_LIST = "imagenet1k_label_list.txt"
_SAY_IT = (
    "Correct the file; or take it away, and say how the network sees pictures: residua weights "
    "import … --crop-size N --short-side N --mean … --std …"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is said: fields of Preprocess, the classes if they are named.

    ``zero_channel``: the fourth channel that the network takes is always zero. ``notes`` and
    ``missing`` are sentences: what was followed, and what it refers to that is not there.
    """

    preprocess: dict[str, Any] = field(default_factory=dict)
    classes: Classes | None = None
    zero_channel: bool = False
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_deployment(
    text: str, name: str, read_label_list: Callable[[str], str | None]
) -> Deployment:
    """Return what a deployment file says; ``read_label_list`` gives the texts that lie beside it.

    A label list is never looked for elsewhere, wherever the file says that it lies. Raises
    SettingError, naming the file, for steps that ``residua`` does not do the same way.
    """
    if "<<" in text:
        # PyYAML writes merged keys out, and a few lines of them can fill the memory.
        raise _refused(name, "it merges settings (<<), as PaddleClas's files do not")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _refused(name, f"it is no YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, Mapping):
        raise _refused(name, "it holds no settings by name")
    try:
        preprocess, zero_channel = _read_steps(content, name)
        classes, missing = _read_labels(content, name, read_label_list)
    except (AttributeError, TypeError, ValueError) as error:
        raise _refused(name, f"a setting has another form than PaddleClas's ({error})") from error
    followed = [what for what, found in (("pixels", preprocess), ("classes", classes)) if found]
    notes = (f"{' and '.join(followed)} as in {name}",) if followed else ()
    return Deployment(preprocess, classes, zero_channel, notes, missing)


def _read_steps(content: Mapping[str, Any], name: str) -> tuple[dict[str, Any], bool]:
    """Return the fields of Preprocess, and whether a channel of zeros is put behind the others."""
    steps = (content.get("PreProcess") or {}).get("transform_ops")
    if steps is None:
        return {}, False
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        if not isinstance(step, Mapping) or len(step) != 1:
            raise _refused(
                name, f"a step of PreProcess is {_spell(step)}, not one name with settings"
            )
        ((kind, settings),) = step.items()
        if kind in found:
            raise _refused(name, f"PreProcess has two steps {_spell(kind)}")
        found[kind] = dict(settings or {})
    unknown = found.keys() - {"DecodeImage", "ResizeImage", "CropImage", "NormalizeImage",
                              "ToCHWImage"}  # fmt: skip
    if unknown:
        raise _refused(
            name, f"PreProcess has the step {_spell(min(unknown))}, which residua does not do"
        )
    decode = found.get("DecodeImage", {})
    if not decode.get("to_rgb", True):
        raise _refused(name, "PreProcess decodes to BGR, and residua to RGB")
    fields = _read_geometry(found, name) | _read_normalisation(found.get("NormalizeImage"), name)
    return fields, found.get("NormalizeImage", {}).get("channel_num") == 4


def _read_geometry(found: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    resize, crop = found.get("ResizeImage"), found.get("CropImage")
    if resize is None:
        raise _refused(name, "PreProcess does not resize, so the size of a picture is open")
    backend = _spell(resize.get("backend") or "cv2").lower()
    interpolation = _spell(resize.get("interpolation") or "bilinear").lower()
    if backend not in _BACKENDS or interpolation not in {"bilinear", "bicubic"}:
        raise _refused(name, f"ResizeImage is {interpolation} by {backend}")
    fields = {
        "resampler": _BACKENDS[backend], "interpolation": interpolation, "rounding": "paddle",
    }  # fmt: skip
    if resize.get("resize_short"):
        short = _side(resize["resize_short"], "ResizeImage", name)
        if crop is None:
            raise _refused(name, "ResizeImage keeps the proportions, and no CropImage follows")
        return fields | {
            "aspect": "crop", "short_side": short, "crop_size": _side(crop.get("size"), "CropImage",
                                                                      name),
        }  # fmt: skip
    side = _side(resize.get("size"), "ResizeImage", name)
    if crop is not None and _side(crop.get("size"), "CropImage", name) != side:
        raise _refused(name, f"it squashes pictures to {side} pixels and then cuts a part out")
    return fields | {"aspect": "squash", "short_side": side, "crop_size": side}


def _side(given: Any, step: str, name: str) -> int:
    """Return a side in pixels: a number, or two equal ones."""
    sides = given if isinstance(given, list) else [given]
    if not sides or any(type(side) is not int or side <= 0 for side in sides):
        raise _refused(name, f"{step} has the size {_spell(given)}")
    if len(set(sides)) > 1:
        raise _refused(name, f"{step} makes {_spell(given)} pixels, and residua's crops are square")
    return int(sides[0])


def _read_normalisation(settings: dict[str, Any] | None, name: str) -> dict[str, Any]:
    """Return mean and std of values in 0…1, of ``(pixel * scale - mean) / std``."""
    if settings is None:
        raise _refused(name, "PreProcess has no NormalizeImage")
    scale = _number(settings.get("scale") or 1 / 255, name)
    mean = [_number(value, name) for value in settings.get("mean") or _MEAN]
    std = [_number(value, name) for value in settings.get("std") or _STD]
    # PaddleClas's own files round 1 / 255 to 0.00392157.
    factor = 1.0 if math.isclose(scale * 255, 1, abs_tol=1e-5) else 1 / (scale * 255)
    return {
        "mean": tuple(value * factor for value in mean),
        "std": tuple(value * factor for value in std),
    }


def _number(given: Any, name: str) -> float:
    """Return a number, or a fraction that is written as text: PaddleClas's "1.0/255.0"."""
    text = _spell(given).strip()
    parts = text.split("/")
    try:
        values = [float(part) for part in parts]
        number = values[0] if len(values) == 1 else values[0] / values[1]
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if len(parts) > 2 or not math.isfinite(number):
        raise _refused(name, f"NormalizeImage has {text} where a number should be")
    return number


def _read_labels(
    content: Mapping[str, Any], name: str, read_label_list: Callable[[str], str | None]
) -> tuple[Classes | None, tuple[str, ...]]:
    """Return the classes that PostProcess names, and a sentence where they cannot be had."""
    post = content.get("PostProcess") or {}
    # Either {name: Topk, topk: 5, …}, or {Topk: {topk: 5, …}, …}.
    parts = [post, *(part for part in post.values() if isinstance(part, Mapping))]
    for part in parts:
        if labels := part.get("label_list"):
            return _named(Classes(names=tuple(_label(label) for label in labels))), ()
        if "label_0" in part and "label_1" in part:  # ThreshOutput: two classes
            return Classes(names=(_label(part["label_0"]), _label(part["label_1"]))), ()
    paths = [part.get("class_id_map_file") for part in parts]
    path = next((path for path in paths if isinstance(path, str) and path not in {"", "None"}), "")
    if not path:
        return None, ()
    file = PurePosixPath(path.replace("\\", "/")).name
    beside = read_label_list(file)
    if beside is None and file != _IMAGENET_LIST:
        return None, (f"{name} names the label list {file}, which is not beside it.",)
    return imagenet_classes() if beside is None else _named(parse_classes(beside, file)), ()


def _label(given: Any) -> str:
    if not isinstance(given, str | int | float):
        raise TypeError("a label is no text")
    return str(given)


def _spell(given: Any) -> str:
    """Return a value for a sentence. What aliases nest in each other is never written out."""
    if isinstance(given, list) and len(given) <= 4:
        return f"[{', '.join(_spell(part) for part in given if not isinstance(part, list))}]"
    if given is None or isinstance(given, str | int | float):
        return str(given)[:40]
    return f"a {type(given).__name__}"


def _named(classes: Classes) -> Classes:
    """Give ImageNet's names their synset ids."""
    known = imagenet_classes()
    return known if classes.names == known.names else classes


def _refused(name: str, what: str) -> SettingError:
    what = re.sub(r"\s+", " ", what)
    return SettingError(f"{name} beside the program cannot be followed: {what}.", next_step=_SAY_IT)
