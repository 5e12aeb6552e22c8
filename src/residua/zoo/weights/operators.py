"""PaddleClas's operators that prepare a picture, as fields of Preprocess.

Sources: its ``deploy/python/preprocess.py`` and ``ppcls/data/preprocess/ops/operators.py`` (at
d178931f): without a backend OpenCV resizes, bilinear and without antialiasing; the long side is
rounded and the corner of the crop floored. What cannot be done the same way here is refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# NormalizeImage and ResizeImage, where a setting is left out.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESAMPLERS = {"cv2": "opencv", "pil": "pillow"}
# The settings of each operator.
OPERATORS: dict[str, frozenset[str]] = {
    "DecodeImage": frozenset({"to_rgb", "to_np", "channel_first", "backend"}),
    "ResizeImage": frozenset({"resize_short", "size", "interpolation", "backend", "return_numpy"}),
    "CropImage": frozenset({"size"}),
    "NormalizeImage": frozenset({"scale", "mean", "std", "order", "channel_num", "output_fp16"}),
    "ToCHWImage": frozenset(),
}

Refuse = Callable[[str], Exception]  # what is wrong, as a clause → the error to raise


def read_operators(steps: Sequence[Any], refuse: Refuse) -> tuple[dict[str, Any], bool]:
    """Return the fields of Preprocess, and whether a channel of zeros is put behind the others.

    ``steps`` are mappings of one name to its settings. Raises what ``refuse`` makes.
    """
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        if not isinstance(step, Mapping) or len(step) != 1:
            raise refuse(f"a step of PreProcess is {spell(step)}, not one name with settings")
        ((kind, settings),) = step.items()
        if kind in found:
            raise refuse(f"PreProcess has two steps {spell(kind)}")
        found[kind] = dict(settings or {})
    unknown = found.keys() - OPERATORS.keys()
    if unknown:
        raise refuse(f"PreProcess has the step {spell(min(unknown))}, which residua does not do")
    decode = found.get("DecodeImage", {})
    if not decode.get("to_rgb", True):
        raise refuse("PreProcess decodes to BGR, and residua to RGB")
    fields = _read_geometry(found, refuse) | read_normalisation(found.get("NormalizeImage"), refuse)
    return fields, found.get("NormalizeImage", {}).get("channel_num") == 4


def _read_geometry(found: Mapping[str, dict[str, Any]], refuse: Refuse) -> dict[str, Any]:
    resize, crop = found.get("ResizeImage"), found.get("CropImage")
    if resize is None:
        raise refuse("PreProcess does not resize, so the size of a picture is open")
    backend = spell(resize.get("backend") or "cv2").lower()
    interpolation = spell(resize.get("interpolation") or "bilinear").lower()
    if backend not in RESAMPLERS or interpolation not in {"bilinear", "bicubic"}:
        raise refuse(f"ResizeImage is {interpolation} by {backend}")
    fields = {
        "resampler": RESAMPLERS[backend], "interpolation": interpolation, "rounding": "paddle",
    }  # fmt: skip
    if resize.get("resize_short"):
        short = _side(resize["resize_short"], "ResizeImage", refuse)
        if crop is None:
            raise refuse("ResizeImage keeps the proportions, and no CropImage follows")
        return fields | {
            "aspect": "crop", "short_side": short, "crop_size": _side(crop.get("size"), "CropImage",
                                                                      refuse),
        }  # fmt: skip
    side = _side(resize.get("size"), "ResizeImage", refuse)
    if crop is not None and _side(crop.get("size"), "CropImage", refuse) != side:
        raise refuse(f"it squashes pictures to {side} pixels and then cuts a part out")
    return fields | {"aspect": "squash", "short_side": side, "crop_size": side}


def _side(given: Any, step: str, refuse: Refuse) -> int:
    """Return a side in pixels: a number, or two equal ones."""
    sides = given if isinstance(given, list) else [given]
    if not sides or any(type(side) is not int or side <= 0 for side in sides):
        raise refuse(f"{step} has the size {spell(given)}")
    if len(set(sides)) > 1:
        raise refuse(f"{step} makes {spell(given)} pixels, and residua's crops are square")
    return int(sides[0])


def read_normalisation(settings: dict[str, Any] | None, refuse: Refuse) -> dict[str, Any]:
    """Return mean and std of values in 0…1, of ``(pixel * scale - mean) / std``."""
    if settings is None:
        raise refuse("PreProcess has no NormalizeImage")
    scale = _number(settings.get("scale") or 1 / 255, refuse)
    mean = [_number(value, refuse) for value in settings.get("mean") or _MEAN]
    std = [_number(value, refuse) for value in settings.get("std") or _STD]
    # PaddleClas's own files round 1 / 255 to 0.00392157.
    factor = 1.0 if math.isclose(scale * 255, 1, abs_tol=1e-5) else 1 / (scale * 255)
    return {
        "mean": tuple(value * factor for value in mean),
        "std": tuple(value * factor for value in std),
    }


def _number(given: Any, refuse: Refuse) -> float:
    """Return a number, or a fraction that is written as text: PaddleClas's "1.0/255.0"."""
    text = spell(given).strip()
    parts = text.split("/")
    try:
        values = [float(part) for part in parts]
        number = values[0] if len(values) == 1 else values[0] / values[1]
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if len(parts) > 2 or not math.isfinite(number):
        raise refuse(f"NormalizeImage has {text} where a number should be")
    return number


def spell(given: Any) -> str:
    """Return a value for a sentence. What aliases nest in each other is never written out."""
    if isinstance(given, list) and len(given) <= 4:
        return f"[{', '.join(spell(part) for part in given if not isinstance(part, list))}]"
    if given is None or isinstance(given, str | int | float):
        return str(given)[:40]
    return f"a {type(given).__name__}"
