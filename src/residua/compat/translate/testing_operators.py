"""The operators of evaluation and prediction: how a picture becomes the network's pixels."""

from typing import Any

from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.compat.config.section import Section
from residua.zoo.weights.operators import (
    OPERATORS,
    RESAMPLERS,
    read_normalisation,
    read_operators,
)

Steps = list[tuple[str, Section]]


def read_preprocess(steps: Steps, place: str) -> Preprocess:
    """Return the preparation that operators spell; ``place`` names their list.

    Raises SettingError for an operator that residua has not, or one of another meaning.
    """

    def refuse(what: str) -> SettingError:
        return SettingError(f"{place} cannot be followed: {what}.")

    order = [list(OPERATORS).index(name) for name, _ in steps if name in OPERATORS]
    if order != sorted(order):
        raise refuse(f"its order is {', '.join(name for name, _ in steps)}")
    plain = [{name: take_known(name, step)} for name, step in steps]
    fields, zero_channel = read_operators(plain, refuse)
    if zero_channel:
        steps[0][1].findings.note(
            f"{place} pads pictures with a channel of zeros for speed; here there are three, with "
            "the same result."
        )
    if fields["crop_size"] > fields["short_side"]:
        raise refuse(f"it crops {fields['crop_size']} pixels of {fields['short_side']}")
    return Preprocess(**fields)


def take_known(name: str, step: Section) -> dict[str, Any]:
    """Return the settings of an operator, taking those that it has."""
    for key in OPERATORS.get(name, ()):
        step.take(key)
    return dict(step.content)


def read_resizing(step: Section) -> tuple[str, str]:
    """Return resampler and interpolation of an operator of training, in our words."""
    backend = step.text("backend", "cv2").lower()
    if backend not in RESAMPLERS:
        raise step.refused("backend", f"is {backend}; it is cv2 or pil")
    kind = step.text("interpolation", "bilinear")
    if kind not in {"bilinear", "bicubic"}:
        raise step.refused("interpolation", f"is {kind}; residua resizes bilinear or bicubic")
    return RESAMPLERS[backend], kind


def read_square(step: Section, key: str) -> int:
    """Return the side of a square in pixels, given as one number or twice the same."""
    sides = [int(side) for side in step.numbers(key)]
    if not sides or len(set(sides)) > 1:
        raise step.refused(key, f"is {step.take(key)}, and networks here take squares")
    return sides[0]


def require_usual_mean(step: Section) -> None:
    """Refuse a normalisation other than ImageNet's: a recipe has no key for it."""

    def refuse(what: str) -> SettingError:
        return SettingError(f"{step.place} cannot be followed: {what}.")

    fields = read_normalisation(take_known("NormalizeImage", step), refuse)
    given, usual = Preprocess(**fields), Preprocess()
    if (given.mean, given.std) != (usual.mean, usual.std):
        raise SettingError(
            f"{step.place} has mean {given.mean} and std {given.std}.",
            next_step="A recipe has ImageNet's, or those of the weights it starts from.",
        )


def translate_testing(preprocess: Preprocess, place: Section) -> dict[str, Any]:
    """Return the keys of ``evaluate`` that say how pictures are prepared.

    Raises SettingError for what a recipe has no key for.
    """
    if preprocess.aspect != "crop":
        raise place.refused(
            "transform_ops", "squashes pictures to a square",
            "Training prepares by a short side and a crop: ResizeImage: {resize_short: 256}.",
        )  # fmt: skip
    return {
        "evaluate.image_size": preprocess.crop_size,
        "evaluate.short_side": preprocess.short_side,
        "evaluate.prepare": _name_rules(preprocess, place),
    }


def _name_rules(preprocess: Preprocess, place: Section) -> str:
    match preprocess.resampler, preprocess.interpolation:
        case "opencv", "bilinear":
            return "paddle"
        case "pillow", kind:
            place.findings.note(
                f"{place.where('transform_ops')} resizes with Pillow: the long side is rounded as "
                "torchvision does it, which may differ by a pixel."
            )
            return "timm" if kind == "bicubic" else "torchvision"
    raise place.refused(
        "transform_ops", "resizes with OpenCV, bicubic",
        "Recipes have OpenCV bilinear, and Pillow bilinear or bicubic.",
    )  # fmt: skip
