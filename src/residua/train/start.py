"""Where a run starts: fresh weights, or those of a bundle with the classifier fitted to new classes."""

import math
from dataclasses import dataclass

import torch

from residua.base.errors import SettingError
from residua.base.nearest import normalize
from residua.bundle.classes import match_classes
from residua.bundle.schema import Classes, Preprocess
from residua.train.recipe import Recipe
from residua.zoo.create import create
from residua.zoo.load import make_network
from residua.zoo.resnet import ResNet
from residua.zoo.surgery import replace_head
from residua.zoo.table import find_row
from residua.zoo.weights.resolve import open_bundle


@dataclass(frozen=True, slots=True)
class Start:
    """A network to train, the preprocessing it will be given, and what to tell the user."""

    network: ResNet
    preprocess: Preprocess
    notes: tuple[str, ...]
    parent: str = ""
    licence: str = "unknown"


def start(recipe: Recipe, classes: Classes) -> Start:
    """Return the network that ``recipe`` starts from, with one output for each of ``classes``."""
    return _fine_tune(recipe, classes) if recipe.model.pretrained else _begin(recipe, classes)


def _begin(recipe: Recipe, classes: Classes) -> Start:
    model, size = recipe.model, recipe.augment.image_size
    row = find_row(model.name)
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
    return Start(
        network,
        Preprocess(crop_size=size, short_side=short_side),
        (f"{network.row.name} from scratch: no pretrained weights.",),
    )


def _fine_tune(recipe: Recipe, classes: Classes) -> Start:
    model, size = recipe.model, recipe.augment.image_size
    if model.small_images or model.widths:
        raise SettingError(
            "Pretrained weights fix the stem and the widths of the network.",
            next_step="Drop the small-image stem and the widths, or train from scratch.",
        )
    bundle = open_bundle(model.pretrained, architecture=model.name or None)
    manifest = bundle.manifest
    if model.name and normalize(model.name) != normalize(manifest.architecture.name):
        raise SettingError(
            f"{model.pretrained} holds a {manifest.architecture.name}, not a {model.name}.",
            next_step="Leave --model out: the weights say which network they are.",
        )
    row = manifest.architecture.model_copy(update={"drop_path": model.drop_path})
    network = make_network(row, bundle.tensors()).train()
    kept = _fit_head(network, manifest.classes, classes, seed=recipe.loop.seed)
    given = manifest.preprocess
    short_side = math.ceil(given.short_side * size / given.crop_size - 0.5)
    preprocess = given.model_copy(update={"crop_size": size, "short_side": short_side})
    head = f"new head for {len(classes)} classes"
    if kept:
        head += f", {len(kept)} of them known by name: {', '.join(kept[:5])}"
        head += "…" if len(kept) > 5 else ""
    return Start(
        network,
        preprocess,
        (f"{row.name} from {model.pretrained}; {head}.",),
        parent=model.pretrained,
        licence=manifest.licence,
    )


def _fit_head(network: ResNet, given: Classes, wanted: Classes, *, seed: int) -> list[str]:
    """Replace the head; a class that ``given`` has keeps its row. Returns the names kept."""
    old = dict(network.head.named_parameters())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        replace_head(network, len(wanted))
    new = dict(network.head.named_parameters())
    kept = []
    with torch.no_grad():
        for row, place in enumerate(match_classes(given, wanted)):
            if place is not None:
                for name in new:  # weight [classes, features] and bias [classes]
                    new[name][row] = old[name][place]
                kept.append(wanted.names[row])
    return kept
