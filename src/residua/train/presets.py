"""Recipes as functions: each returns a whole, typed recipe."""

from residua.data.settings import AugmentPart, CropPart
from residua.train.recipe import LoopPart, ModelPart, OptimiserPart, Recipe, SchedulePart

# Up to this size the stem keeps the resolution; a stem of stride 4 would leave nothing to see.
_SMALL = 64


def from_scratch(model: str, *, epochs: int, batch_size: int = 64, image_size: int = 224) -> Recipe:
    """Return the recipe for training without pretrained weights.

    The learning rate is 0.1 for 256 pictures and proportional to the batch (arXiv 1706.02677); the
    warm-up is a tenth of the run, five epochs at most.
    """
    small = image_size <= _SMALL
    crop = CropPart(scale=(0.35 if small else 0.08, 1.0))
    return Recipe(
        model=ModelPart(name=model, small_images=small),
        augment=AugmentPart(image_size=image_size, crop=crop),
        optimiser=OptimiserPart(lr=0.1 * batch_size / 256),
        schedule=SchedulePart(warmup_epochs=min(5.0, epochs / 10)),
        loop=LoopPart(epochs=epochs, batch_size=batch_size),
    )


def fine_tune(
    pretrained: str, *, model: str = "", epochs: int, batch_size: int = 32, image_size: int = 224
) -> Recipe:
    """Return the recipe for fitting pretrained weights to new classes.

    Small batches, since few pictures make few steps; a low learning rate, mild crops (a third of
    the area at least) and a short warm-up. Of 0.005, 0.01 and 0.02 at 32 pictures, 0.01 was the
    best on flowers after one epoch.
    """
    return Recipe(
        model=ModelPart(name=model, pretrained=pretrained),
        augment=AugmentPart(image_size=image_size, crop=CropPart(scale=(0.35, 1.0))),
        optimiser=OptimiserPart(lr=0.01 * batch_size / 32),
        schedule=SchedulePart(warmup_epochs=min(1.0, epochs / 10)),
        loop=LoopPart(epochs=epochs, batch_size=batch_size),
    )
