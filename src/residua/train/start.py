"""Where a run starts: fresh weights, or a bundle's with the classifier fitted to new classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from residua.base.errors import SettingError
from residua.bundle.classes import match_classes
from residua.bundle.schema import Architecture, Classes, Preprocess
from residua.train.recipe.tree import EvaluatePart, ModelPart, Recipe
from residua.train.update.rounding import Rounding
from residua.zoo.create import create
from residua.zoo.load import make_network
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import freeze, replace_head
from residua.zoo.table import find_row
from residua.zoo.weights.resolve import open_bundle

# Whose rules resize pictures (``evaluate.prepare``), as fields of Preprocess.
RULES: dict[str, dict[str, Any]] = {
    "given": {},
    "torchvision": {"resampler": "pillow", "interpolation": "bilinear", "rounding": "torchvision"},
    "timm": {"resampler": "pillow", "interpolation": "bicubic", "rounding": "torchvision"},
    "paddle": {"resampler": "opencv", "interpolation": "bilinear", "rounding": "paddle"},
}


@dataclass(frozen=True, slots=True)
class Start:
    """A network to train, how its pictures are prepared, and what to tell the user.

    ``preprocess`` is what training crops by; ``deployed`` is what is validated and written: another
    size where the recipe evaluates at another. ``rounding`` is that of int8, if the network has it.
    """

    network: ResNet
    preprocess: Preprocess
    deployed: Preprocess
    notes: tuple[str, ...]
    parent: str = ""
    licence: str = "unknown"
    rounding: Rounding | None = None


def start(recipe: Recipe, classes: Classes) -> Start:
    """Return the network that ``recipe`` starts from, with one output for each of ``classes``."""
    begun = _fine_tune(recipe, classes) if recipe.model.pretrained else _begin(recipe, classes)
    if recipe.model.freeze:
        freeze(begun.network, recipe.model.freeze, but_last_norm=recipe.model.train_last_norm)
    return begun


def _begin(recipe: Recipe, classes: Classes) -> Start:
    model, size = recipe.model, recipe.augment.image_size
    row = find_row(model.name)
    if model.stem_width is not None:
        stem_widths = (*row.stem_widths[:-1], model.stem_width)
        row = row.model_copy(update={"stem_widths": stem_widths})
    network = create(
        row,
        num_classes=len(classes),
        small_images=model.small_images,
        drop_path=model.drop_path,
        widths=model.widths or None,
        zero_gamma=model.zero_gamma,
        seed=recipe.loop.seed,
    )
    # Small pictures are used whole; others keep the margin of 256 to 224 that weights expect.
    short_side = size if network.row.stem == "3x3" else round(size * 256 / 224)
    rules = RULES[recipe.evaluate.prepare]
    preprocess = Preprocess(crop_size=size, short_side=short_side, **rules)
    return Start(
        network,
        preprocess,
        _deploy(preprocess, recipe.evaluate),
        (f"{network.row.name} from scratch: no pretrained weights.",),
    )


def _fine_tune(recipe: Recipe, classes: Classes) -> Start:
    model, size = recipe.model, recipe.augment.image_size
    bundle = open_bundle(model.pretrained, architecture=model.name or None)
    manifest = bundle.manifest
    _refuse_another_shape(model, manifest.architecture)
    row = manifest.architecture.model_copy(update={"drop_path": model.drop_path})
    row, tensors = _drop_identity(row, bundle.tensors())
    network = make_network(row, tensors).train()
    kept = _fit_head(network, manifest.classes, classes)
    given = manifest.preprocess
    short_side = round(given.short_side * size / given.crop_size)
    rules = RULES[recipe.evaluate.prepare]
    preprocess = given.model_copy(update={"crop_size": size, "short_side": short_side, **rules})
    head = (
        f"the head is its own, for {len(classes)} classes matched by name"
        if kept
        else f"new head for {len(classes)} classes"
    )
    return Start(
        network,
        preprocess,
        _deploy(preprocess, recipe.evaluate),
        (f"{row.name} from {model.pretrained}; {head}.",),
        parent=model.pretrained,
        licence=manifest.licence,
    )


def _refuse_another_shape(model: ModelPart, row: Architecture) -> None:
    """Refuse a stem or widths that the weights have not; those of their own recipe they have."""
    differing = {
        "model.small_images=false": model.small_images and row.stem != "3x3",
        "model.widths=[]": model.widths and model.widths != row.widths,
        "model.stem_width=null": model.stem_width and model.stem_width != row.stem_widths[-1],
    }
    undoing = [text for text, differs in differing.items() if differs]
    if undoing:
        keys = ", ".join(text.partition("=")[0] for text in undoing)
        raise SettingError(
            f"The weights of {model.pretrained} fix the stem and the widths of the network; the "
            f"recipe asks for others: {keys}.",
            next_step=f"Add {' '.join(f'-o {text}' for text in undoing)}, or train from scratch, "
            "without pretrained weights.",
        )


def _deploy(preprocess: Preprocess, part: EvaluatePart) -> Preprocess:
    """Return what the bundle will prepare by: the recipe's test size, if it names one."""
    size = part.image_size or preprocess.crop_size
    short_side = part.short_side or round(preprocess.short_side * size / preprocess.crop_size)
    return preprocess.model_copy(update={"crop_size": size, "short_side": short_side})


def _drop_identity(
    row: Architecture, tensors: dict[str, np.ndarray]
) -> tuple[Architecture, dict[str, np.ndarray]]:
    """Take out a first projection that does nothing, and say so in the row.

    Weights of ResNet18 and 34 from torchvision and timm get such a one when they are imported. It
    is exact in evaluation, but in training its normalisation would follow the batch: the network
    would no longer be the one that was pretrained.
    """
    prefix = "stages.0.0.shortcut."
    kernel = tensors.get(f"{prefix}conv.weight")
    if kernel is None or kernel.shape[0] != kernel.shape[1] or kernel.shape[2:] != (1, 1):
        return row, tensors
    mean, variance, weight, bias = (
        tensors[f"{prefix}norm.{name}"]
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    scale = weight / np.sqrt(variance + torch.nn.BatchNorm2d(1).eps)
    if not (
        np.array_equal(kernel[:, :, 0, 0], np.eye(len(kernel)))
        and np.allclose(scale, 1, rtol=0, atol=1e-6)
        and np.allclose(bias - mean * scale, 0, rtol=0, atol=1e-6)
    ):
        return row, tensors
    kept = {name: array for name, array in tensors.items() if not name.startswith(prefix)}
    return row.model_copy(update={"first_projection": False}), kept


def _fit_head(network: ResNet, given: Classes, wanted: Classes) -> list[str]:
    """Replace the head, and return the names of the classes whose rows of it were kept.

    Where all classes are known they keep their rows. Otherwise all start at zero, as in BiT (arXiv
    1912.11370, section 3.3): the first steps then do not drag the pretrained features after a
    random classifier. A trained row among rows of zero would win every picture (LOG.md, "heads
    known in part").
    """
    places = match_classes(given, wanted)
    if None in places:
        places = (None,) * len(wanted)
    old = dict(network.head.named_parameters())
    replace_head(network, len(wanted))
    with torch.no_grad():
        for name, tensor in network.head.named_parameters():  # weight [classes, features], bias
            tensor.zero_()
            for row, place in enumerate(places):
                if place is not None:
                    tensor[row] = old[name][place]
    known = zip(wanted.names, places, strict=True)
    return [name for name, place in known if place is not None]
