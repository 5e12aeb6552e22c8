"""The two recipes of small sets, fitted to a length, a batch and a size, for tests."""

from residua.train.recipe.book import find_recipe
from residua.train.recipe.file import change
from residua.train.recipe.tree import Recipe

# Up to this size the stem keeps the resolution; a stem of stride 4 would leave nothing to see.
_SMALL = 64


def from_scratch(model: str, *, epochs: int, batch_size: int = 64, image_size: int = 224) -> Recipe:
    """Return the recipe for training without pretrained weights.

    The learning rate is 0.1 for 256 pictures and proportional to the batch (arXiv 1706.02677); the
    warm-up is a tenth of the run, five epochs at most.
    """
    small = image_size <= _SMALL
    recipe = _fit(find_recipe("scratch"), epochs, batch_size, image_size)
    crop = (0.35, 1.0) if small else None
    changes = {"model.name": model, "model.small_images": small, "augment.crop.scale": crop}
    return change(recipe, changes)


def fine_tune(
    pretrained: str, *, model: str = "", epochs: int, batch_size: int = 32, image_size: int = 224
) -> Recipe:
    """Return the recipe for fitting pretrained weights to new classes.

    The learning rate is 0.01 for 32 pictures and proportional to the batch; the warm-up is a tenth
    of the run, one epoch at most.
    """
    recipe = _fit(find_recipe("finetune"), epochs, batch_size, image_size)
    return change(recipe, {"model.name": model, "model.pretrained": pretrained})


def _fit(recipe: Recipe, epochs: int, batch_size: int, image_size: int) -> Recipe:
    return change(
        recipe,
        {
            "augment.image_size": image_size,
            "evaluate.image_size": image_size,
            "optimiser.lr": recipe.optimiser.lr * batch_size / recipe.loop.batch_size,
            "schedule.warmup_epochs": min(recipe.schedule.warmup_epochs, epochs / 10),
            "loop.epochs": epochs,
            "loop.batch_size": batch_size,
        },
    )
