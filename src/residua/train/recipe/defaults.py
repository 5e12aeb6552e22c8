"""What ``residua train DATA`` does when it is told nothing else."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from residua.base.errors import DownloadError, ImageError
from residua.data.settings import AugmentPart
from residua.data.source import Source
from residua.pixels.decode import decode
from residua.train.recipe.book import find_recipe
from residua.train.recipe.file import change
from residua.train.recipe.tree import LossPart, Recipe
from residua.zoo.weights.resolve import open_bundle

# Enough features for most photos, and a step that a processor takes in time.
_ON_GPU, _ON_PROCESSOR = "ResNet50_vd_ssld", "ResNet18_vd"
_SMALL = 64  # pixels; below, a stem of stride 4 leaves nothing to see
_SAMPLED = 32  # pictures looked at to learn how large they are


@dataclass(frozen=True, slots=True)
class Choice:
    """A recipe, and why it was taken."""

    recipe: Recipe
    notes: tuple[str, ...]


def choose_recipe(source: Source, *, gpu: bool) -> Choice:
    """Return the recipe for ``source``: fine-tuning pretrained weights where they can be had.

    Tiny pictures are learnt from scratch at their own size. Where the weights cannot be fetched,
    training is from scratch too, and the note says so loudly.
    """
    side = measure_side(source)
    if side <= _SMALL:
        size = max(16, int(side))
        recipe = _lengthen(find_recipe("cifar"), len(source), updates=8000, epochs=(10, 60))
        return Choice(
            change(recipe, {"augment.image_size": size} | scale_sizes(recipe, size)),
            (f"The pictures are tiny (about {side:.0f} pixels): recipe cifar, from scratch.",),
        )
    weights = _ON_GPU if gpu else _ON_PROCESSOR
    try:
        open_bundle(weights)
    except DownloadError as error:
        recipe = _lengthen(find_recipe("scratch"), len(source), updates=10_000, epochs=(30, 150))
        warning = (
            "No pretrained weights could be had: TRAINING FROM SCRATCH, which needs far more "
            f"pictures and time and ends lower.\n  {error.problem.splitlines()[0]}\n"
            f"  Bring {weights} to this machine (residua weights pull {weights}), or give "
            "--pretrained FILE."
        )
        return Choice(change(recipe, {"model.name": weights.removesuffix("_ssld")}), (warning,))
    recipe = _lengthen(find_recipe("finetune"), len(source), updates=1000, epochs=(5, 30))
    return Choice(
        change(recipe, {"model.pretrained": weights}),
        (f"Recipe finetune, from {weights}. Others: residua recipe list.",),
    )


def fit_length(recipe: Recipe, samples: int) -> Recipe:
    """Return the fine-tuning recipe with as many epochs as a set of so many pictures wants."""
    return _lengthen(recipe, samples, updates=1000, epochs=(5, 30))


def fit_quantising(recipe: Recipe, source: Source, pretrained: str, model: str) -> Recipe:
    """Return the recipe for int8 on ``source``, short, with the sizes of the bundle ``pretrained``.

    Where the bundle tells how it was trained, pictures are augmented and errors counted as they
    were then: to go on in another way costs more than rounding does. Progressive resizing, which
    is for long runs, is left out. ``model`` names the row of a weight file.
    """
    manifest = open_bundle(pretrained, architecture=model or None).manifest
    crop, own = manifest.preprocess.crop_size, manifest.recipe
    parts: dict[str, Any] = {"augment": recipe.augment.model_copy(update={"image_size": crop})}
    if own:
        augment = AugmentPart.model_validate(own.get("augment", {}))
        parts["augment"] = augment.model_copy(update={"progressive": None})
        parts["loss"] = LossPart.model_validate(own.get("loss", {}))
    tested = {
        "evaluate.image_size": crop,
        "evaluate.short_side": manifest.preprocess.short_side,
        "evaluate.metric": "map" if source.multi_label else recipe.evaluate.metric,
        "data.multi_label": source.multi_label,
    }
    short = _lengthen(recipe, len(source), updates=300, epochs=(1, 5))
    return change(short.model_copy(update=parts), tested)


def scale_sizes(recipe: Recipe, size: int) -> dict[str, int]:
    """Return what goes along when the image size of ``recipe`` becomes ``size``, by dotted key.

    The test size with its short side, the padding of a crop, and the sizes of progressive resizing
    (the last of which is ``size`` where it was the image size) keep their proportions.
    """
    augment, tested = recipe.augment, recipe.evaluate
    given: dict[str, int | None] = {
        "evaluate.image_size": tested.image_size,
        "evaluate.short_side": tested.short_side,
    }
    if augment.crop.kind == "padded":
        given["augment.crop.padding"] = augment.crop.padding
    if augment.progressive is not None:
        given["augment.progressive.start_size"] = augment.progressive.start_size
        given["augment.progressive.end_size"] = augment.progressive.end_size
    return {
        key: max(1, round(value * size / augment.image_size))
        for key, value in given.items()
        if value is not None
    }


def measure_side(source: Source) -> float:
    """Return the median short side of some pictures, in pixels; 224 where none can be read."""
    places = np.linspace(0, len(source) - 1, min(_SAMPLED, len(source))).astype(int)
    sides = []
    for place in places:
        try:
            pixels = decode(source.read(int(place)), name=source.names[place])
        except (ImageError, OSError):
            continue
        sides.append(min(pixels.shape[:2]))
    return float(np.median(sides)) if sides else 224.0


def _lengthen(recipe: Recipe, samples: int, *, updates: int, epochs: tuple[int, int]) -> Recipe:
    """Return ``recipe`` with the epochs that make about so many updates, within bounds."""
    batch = max(2, min(recipe.loop.batch_size, samples // 4 // 2 * 2))
    length = min(epochs[1], max(epochs[0], round(updates * batch / samples)))
    return change(
        recipe,
        {
            "loop.epochs": length,
            "loop.batch_size": batch,
            "optimiser.lr": recipe.optimiser.lr * batch / recipe.loop.batch_size,
            "schedule.warmup_epochs": min(recipe.schedule.warmup_epochs, length / 10),
        },
    )
