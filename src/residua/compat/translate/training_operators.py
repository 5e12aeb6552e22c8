"""The operators of training: crops, mirrors, policies, erasing.

Sources: ppcls/data/preprocess of PaddleClas at d178931f. Three operators are broken there (Cutout,
GridMask, HideAndSeek); what is meant is taken.
"""

import re
from collections.abc import Callable
from typing import Any

from residua.bundle.schema import Preprocess
from residua.compat.config.section import Section
from residua.compat.translate.testing_operators import (
    read_resizing,
    read_square,
    require_usual_mean,
)

Values = dict[str, Any]
_TIMM = re.compile(r"rand(?:-m(?P<m>[\d.]+)|-mstd(?P<std>[\d.]+)|-n(?P<n>\d+)|-inc(?P<inc>[01]))*")


def translate_training(dataset: Section) -> Values:
    """Return the keys of ``augment`` that ``transform_ops`` spells.

    Raises SettingError for an operator that residua has not, and for two of which it takes one.
    """
    values: Values = {"augment.flip": 0.0}
    placed: dict[str, str] = {}
    names = [name for name, _ in dataset.steps("transform_ops")]
    _check_order(dataset, names)
    for name, step in dataset.steps("transform_ops"):
        reader = _READERS.get(name)
        if reader is None:
            raise dataset.refused(
                "transform_ops", f"has {name}, which residua has not",
                f"Known are: {', '.join(sorted(_READERS))}.",
            )  # fmt: skip
        read = reader(step)
        for part in {key.split(".")[1] for key in read} & {"crop", "policy", "erase"}:
            if part in placed:
                raise dataset.refused(
                    "transform_ops", f"has {placed[part]} and {name}: one is possible"
                )
            placed[part] = name
        values |= read
    if "crop" not in placed:
        raise dataset.refused(
            "transform_ops", f"crops nothing: {', '.join(names) or 'it is empty'}",
            "Add RandCropImage: {size: 224}, or ResizeImage and CropImage.",
        )  # fmt: skip
    return _scale_erasing(values)


def _scale_erasing(values: Values) -> Values:
    """Return sides in pixels as those of a picture of 224, which ours are; theirs are absolute."""
    scale = 224 / values["augment.image_size"]
    if "augment.erase.size" in values:
        values["augment.erase.size"] = max(1, round(values["augment.erase.size"] * scale))
    if "augment.erase.grid" in values:
        low, high = (max(1, round(side * scale)) for side in values["augment.erase.grid"])
        values["augment.erase.grid"] = [low, high]
    return values


def _check_order(dataset: Section, names: list[str]) -> None:
    """Refuse operators that come twice, or in an order that gives other pictures."""
    if twice := [name for name in names if names.count(name) > 1]:
        raise dataset.refused("transform_ops", f"has {twice[0]} twice: one is possible")
    if "NormalizeImage" not in names:
        raise dataset.refused("transform_ops", "has no NormalizeImage, and networks here need it")
    ranks = [_RANKS.get(name, 2) for name in names]
    if ranks != sorted(ranks):
        raise dataset.refused(
            "transform_ops", f"are in another order than here: {', '.join(names)}",
            "Pictures are decoded, cropped, mirrored and coloured, normalised, and erased.",
        )  # fmt: skip
    if "ResizeImage" in names and "RandCropImage" in names:
        raise dataset.refused("transform_ops", "resizes before it crops at random", "Take one out.")


# When an operator comes; what is not named is of the second rank, between crop and normalisation.
# Of Cutout, GridMask and HideAndSeek what is meant is the mean colour, wherever they stand.
_RANKS = {
    "DecodeImage": 0, "ResizeImage": 1, "CropImage": 1, "RandCropImage": 1, "NormalizeImage": 3,
    "ToCHWImage": 4, "RandomErasing": 4, "Cutout": 4, "GridMask": 4, "HideAndSeek": 4,
}  # fmt: skip


def translate_resizing(dataset: Section, tested: Preprocess) -> Values:
    """Return how crops are resized, where it is not as in evaluation. Raises SettingError."""
    for name, step in dataset.steps("transform_ops"):
        if name == "ResizeImage" and step.whole("resize_short", 0) != tested.short_side:
            raise step.refused(
                "resize_short", f"is not the {tested.short_side} of evaluation",
                "Training with whole pictures prepares them as evaluation does.",
            )  # fmt: skip
        if name != "RandCropImage":
            continue
        resampler, interpolation = read_resizing(step)
        if resampler != tested.resampler:
            raise step.refused(
                "backend", f"resizes by {resampler} and evaluation by {tested.resampler}",
                "A recipe has one of them: name the same backend in both.",
            )  # fmt: skip
        if interpolation != tested.interpolation:
            return {"augment.interpolation": interpolation}
    return {}


def _read_random_crop(step: Section) -> Values:
    step.expect("progress_size", None, why="and sizes rise by augment.progressive here")
    read_resizing(step)
    return {
        "augment.image_size": read_square(step, "size"), "augment.crop.kind": "random",
        "augment.crop.rule": "torchvision" if step.flag("use_log_aspect") else "paddle",
        "augment.crop.scale": _read_pair(step, "scale", [0.08, 1.0]),
        "augment.crop.ratio": _read_pair(step, "ratio", [3 / 4, 4 / 3]),
    }  # fmt: skip


def _read_pair(step: Section, key: str, default: list[float]) -> list[float]:
    found = step.numbers(key, default)
    if len(found) != 2:
        raise step.refused(key, f"is {step.take(key)!r}, where [from, to] is expected")
    return found


def _read_centre_crop(step: Section) -> Values:
    return {
        "augment.image_size": read_square(step, "size"), "augment.crop.kind": "centre",
        "augment.crop.rule": "paddle",
    }  # fmt: skip


def _read_flip(step: Section) -> Values:
    step.expect("flip_code", 1, why="and pictures are mirrored left to right here")
    return {"augment.flip": 0.5}


def _read_normalising(step: Section) -> Values:
    require_usual_mean(step)
    return {}


def _read_nothing(_: Section) -> Values:
    return {}


def _read_decoding(step: Section) -> Values:
    step.expect("to_rgb", True, why="which gives the network BGR: no published weights expect it")
    step.expect("channel_first", False, why="and operators here take rows first")
    for key in ("to_np", "backend"):
        step.take(key)  # decoding gives RGB of 8 bits here
    return {}


def _read_short_side(step: Section) -> Values:
    if "resize_short" not in step:
        raise step.refused(
            "size", "squashes pictures to a square", "Give resize_short and CropImage."
        )
    read_resizing(step)
    return {}  # the short side is evaluation's, as translate_resizing sees to


def _read_autoaugment(step: Section) -> Values:
    step.findings.note(
        "AutoAugment turns either way here and leaves black behind the edges, as torchvision's; "
        "PaddleClas's turns one way and leaves grey."
    )
    return {"augment.policy.kind": "autoaugment", "augment.policy.table": "imagenet"}


def _read_randaugment(step: Section) -> Values:
    step.findings.note("RandAugment turns either way here; PaddleClas's turns one way.")
    return {
        "augment.policy.kind": "randaugment", "augment.policy.ranges": "paddle",
        "augment.policy.layers": step.whole("num_layers", 2),
        "augment.policy.magnitude": step.number("magnitude", 5),
    }  # fmt: skip


def _read_timm(step: Section) -> Values:
    step.ignore("interpolation", "img_size", "fill", reason="as the crops have them")
    text = step.text("config_str", "rand-m9-mstd0.5-inc1")
    match = _TIMM.fullmatch(text)
    if match is None or match["inc"] is None:
        raise step.refused(
            "config_str", f"is {text!r}",
            "Known are texts as rand-m9-mstd0.5-inc1, whose operations grow with their magnitude.",
        )  # fmt: skip
    return {
        "augment.policy.kind": "randaugment", "augment.policy.ranges": "timm",
        "augment.policy.layers": int(match["n"] or 2),
        "augment.policy.magnitude": float(match["m"] or 10),
        "augment.policy.magnitude_std": float(match["std"] or 0), "augment.policy.probability": 0.5,
        "augment.policy.chance": step.number("prob", 1.0),
    }  # fmt: skip


def _read_augmix(step: Section) -> Values:
    return {
        "augment.policy.kind": "augmix", "augment.policy.chance": step.number("prob", 0.5),
        "augment.policy.concentration": step.number("aug_prob_coeff", 0.1),
        "augment.policy.chains": step.whole("mixture_width", 3),
        "augment.policy.depth": _read_depth(step),
        "augment.policy.severity": step.number("aug_severity", 1.0),
    }  # fmt: skip


def _read_depth(step: Section) -> int:
    depth = step.whole("mixture_depth", 1)
    if depth > 3:
        raise step.refused("mixture_depth", f"is {depth}, and chains have three operations at most")
    return max(depth, 0)


def _read_jitter(step: Section) -> Values:
    values = {
        f"augment.jitter.{key}": step.number(key)
        for key in ("brightness", "contrast", "saturation", "hue")
        if key in step
    }
    return values | {"augment.jitter.probability": min(step.number("prob", 1.0), 1.0)}


def _read_lighting(step: Section) -> Values:
    step.findings.note(
        "PCALighting adds 0.01 to values of 0 to 255 in PaddleClas; here it follows its paper."
    )
    return {"augment.lighting": 0.1}


def _read_erasing(step: Section) -> Values:
    step.ignore("attempt", reason="a rectangle is drawn until it fits")
    ratio = step.number("r1", 0.3)
    if not 0 < ratio <= 1:
        raise step.refused("r1", f"is {ratio:g}: a ratio in 0…1 is expected")
    kind = step.text("mode", "const")
    if kind not in {"const", "pixel"}:
        raise step.refused("mode", f"is {kind}: residua fills with the mean colour or with noise")
    if any(step.numbers("mean", [0.0, 0.0, 0.0])):
        raise step.refused("mean", f"is {step.take('mean')}: residua fills with the mean colour")
    return {
        "augment.erase.kind": "erasing", "augment.erase.probability": step.number("EPSILON", 0.5),
        "augment.erase.area": [step.number("sl", 0.02), step.number("sh", 0.4)],
        "augment.erase.ratio": [ratio, 1 / ratio],
        "augment.erase.rule": "torchvision" if step.flag("use_log_aspect") else "paddle",
        "augment.erase.fill": "noise" if kind == "pixel" else "mean",
    }  # fmt: skip


def _read_cutout(step: Section) -> Values:
    step.findings.note("Cutout fails in PaddleClas (AttributeError); here it follows its paper.")
    return {
        "augment.erase.kind": "cutout", "augment.erase.holes": step.whole("n_holes", 1),
        "augment.erase.size": step.whole("length", 112),
    }  # fmt: skip


def _read_gridmask(step: Section) -> Values:
    step.findings.note(
        "GridMask does nothing in PaddleClas, where its chance stays 0; here it rises over 240 "
        "epochs, as was meant, and squares are taken out, as in its paper."
    )
    step.ignore("mode", reason="GridMask takes squares out, as in its paper")
    turn = step.whole("rotate", 1)  # drawn below it, in whole degrees
    return {
        "augment.erase.kind": "gridmask", "augment.erase.probability": step.number("prob", 1.0),
        "augment.erase.grid": [step.whole("d1", 96), step.whole("d2", 224)],
        "augment.erase.rotate": float(max(turn - 1, 0)),
        "augment.erase.keep": 1 - (1 - step.number("ratio", 0.5)) ** 2,
        "augment.erase.ramp_epochs": 240.0,
    }  # fmt: skip


def _read_hide_and_seek(step: Section) -> Values:
    step.findings.note(
        "HideAndSeek hides about 1 % in PaddleClas, which takes rows for channels; here it follows "
        "its paper."
    )
    return {
        "augment.erase.kind": "hideandseek", "augment.erase.cells": [0, 16, 32, 44, 56],
        "augment.erase.hide": 0.5,
    }  # fmt: skip


_READERS: dict[str, Callable[[Section], Values]] = {
    "DecodeImage": _read_decoding, "RandCropImage": _read_random_crop,
    "ResizeImage": _read_short_side, "CropImage": _read_centre_crop, "RandFlipImage": _read_flip,
    "NormalizeImage": _read_normalising, "ToCHWImage": _read_nothing,
    "AutoAugment": _read_autoaugment, "RandAugment": _read_randaugment,
    "TimmAutoAugment": _read_timm, "AugMix": _read_augmix, "ColorJitter": _read_jitter,
    "PCALighting": _read_lighting, "RandomErasing": _read_erasing, "Cutout": _read_cutout,
    "GridMask": _read_gridmask, "HideAndSeek": _read_hide_and_seek,
}  # fmt: skip
