"""What a run chooses for its machine when it begins: micro-batch and epochs, with a forecast.

Whoever goes on with the run takes the same, from ``run.json``.
"""

from residua.base.clock import spell_seconds
from residua.base.words import count_of
from residua.data.view import TrainingView
from residua.evaluate.ranks import Ranks
from residua.train.display import Display
from residua.train.plan.budget import Budget
from residua.train.plan.fit_batch import choose_micro_batch
from residua.train.plan.forecast import forecast
from residua.train.recipe.file import change
from residua.train.recipe.tree import Recipe
from residua.train.storage.resume import Resumed
from residua.train.storage.run_folder import RunFolder
from residua.train.update.learner import Learner
from residua.train.update.shares import Shares


def plan_run(
    learner: Learner,
    recipe: Recipe,
    view: TrainingView,
    ranks: Ranks,
    *,
    validation: int,
    budget: Budget,
    resumed: Resumed,
    folder: RunFolder | None,
    display: Display,
) -> tuple[Recipe, Shares]:
    """Return the recipe with the epochs that are planned, and who computes what.

    ``validation`` is the number of pictures of the validation part.
    """
    samples = len(view.source)
    batch = min(recipe.loop.batch_size, samples)
    if resumed.chosen:
        epochs, warmup = resumed.chosen["epochs"], resumed.chosen["warmup_epochs"]
        planned = change(recipe, {"loop.epochs": epochs, "schedule.warmup_epochs": warmup})
        return planned, Shares(samples, batch, resumed.chosen["micro_batch"], ranks)
    display.say(_spell(recipe, batch, view.shape[0]))
    whole = Shares(samples, batch, recipe.loop.micro_batch, ranks)
    micro = recipe.loop.micro_batch
    if not micro:
        rows = -(-batch // ranks.world)
        size = max(view.shape_at(epoch)[0] for epoch in range(recipe.loop.epochs))
        micro = choose_micro_batch(learner, size, rows, ranks)
        if micro < rows:
            display.say(
                f"{micro} pictures fit the memory at once; a batch of {batch} is added up of "
                "several."
            )
    shares = Shares(samples, batch, micro, ranks)
    foreseen = forecast(learner, view, recipe, whole, validation=validation)
    seconds: float = ranks.share(foreseen.seconds_per_epoch)
    planned = budget.plan(recipe, seconds)
    if planned != recipe:
        display.say(
            f"A budget of {spell_seconds(60 * budget.minutes)} allows {planned.loop.epochs} of "
            f"{count_of(recipe.loop.epochs, 'epoch')}."
        )
        foreseen = foreseen.shorten(planned.loop.epochs)
    display.say(foreseen.spell())
    if folder is not None and ranks.first:
        folder.choose(
            epochs=planned.loop.epochs, warmup_epochs=planned.schedule.warmup_epochs,
            micro_batch=micro, precision=learner.precision.name, processes=ranks.world,
        )  # fmt: skip
    return planned, shares


def _spell(recipe: Recipe, batch: int, size: int) -> str:
    """Return what an update is, in a sentence."""
    optimiser = recipe.optimiser
    said = (
        f"An update: {batch} pictures of {size} pixels, {optimiser.name}, "
        f"learning rate up to {optimiser.lr:.3g}."
    )
    if batch < recipe.loop.batch_size:
        said += f" (There are not {recipe.loop.batch_size} pictures; the rate is the recipe's.)"
    return said
