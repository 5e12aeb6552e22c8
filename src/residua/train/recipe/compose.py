"""From what a user has said to a whole recipe: a named one or the default, flags, overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from residua.data.settings import DataPart
from residua.data.source import Source
from residua.train.recipe.defaults import (
    Choice,
    choose_recipe,
    fit_length,
    fit_quantising,
    scale_sizes,
)
from residua.train.recipe.file import override, read_recipe_file
from residua.train.recipe.tree import Recipe


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was said: a recipe's name or file, flags by dotted key (None: not said), overrides.

    Flags change the recipe, and overrides ("optimiser.lr=0.05") change what came of that.
    """

    config: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[str] = ()

    def said(self, key: str) -> bool:
        """Tell whether a flag or an override names ``key``."""
        spelt = {text.split("=", 1)[0].strip() for text in self.overrides}
        american = key.replace("optimiser", "optimizer")
        return self.flags.get(key) is not None or bool(spelt & {key, american})

    def says_true(self, key: str) -> bool:
        """Tell whether an override sets ``key`` to true."""
        pairs = (text.partition("=") for text in self.overrides)
        return any(k.strip() == key and v.strip().lower() == "true" for k, _, v in pairs)

    @property
    def quantises(self) -> bool:
        """Whether the training is for int8, by its own recipe."""
        key = "precision.quantise"
        said = bool(self.flags.get(key)) or self.says_true(key)
        return self.config == "quantise" or (said and not self.config)


def find_data_part(wishes: Wishes) -> DataPart:
    """Return how the data set is read, which has to be known before it is."""
    return _apply(read_recipe_file(wishes.config or "finetune"), wishes).data


def compose_recipe(wishes: Wishes, source: Source, *, gpu: bool) -> Choice:
    """Return the recipe that ``wishes`` come to for ``source``, and why it was taken."""
    model, pretrained = wishes.flags.get("model.name"), wishes.flags.get("model.pretrained")
    if pretrained and wishes.quantises:
        choice = Choice(
            fit_quantising(read_recipe_file("quantise"), source, pretrained, model or ""),
            (f"Recipe quantise, from {pretrained}, with its sizes and augmentation.",),
        )
    elif wishes.config:
        choice = Choice(read_recipe_file(wishes.config), (f"Recipe {wishes.config}.",))
    elif pretrained:
        choice = Choice(
            fit_length(read_recipe_file("finetune"), len(source)),
            (f"Recipe finetune, from {pretrained}.",),
        )
    elif model:
        choice = Choice(
            read_recipe_file("scratch"), (f"Recipe scratch for {model}: no pretrained weights.",)
        )
    else:
        choice = choose_recipe(source, gpu=gpu)
    return Choice(_apply(choice.recipe, wishes), choice.notes)


def _apply(recipe: Recipe, wishes: Wishes) -> Recipe:
    """Return ``recipe`` as flags and overrides change it.

    Another batch takes the learning rate along in proportion (arXiv 1706.02677), another image size
    all other sizes, unless these are said too; a shorter run shortens the warm-up to a tenth of it;
    several labels a picture need a loss and a metric of their own.
    """
    values = dict(wishes.flags)
    batch, epochs = values.get("loop.batch_size"), values.get("loop.epochs")
    if batch and not wishes.said("optimiser.lr"):
        values["optimiser.lr"] = recipe.optimiser.lr * batch / recipe.loop.batch_size
    size = values.get("augment.image_size")
    if size:  # overrides have the last word on these sizes too
        values |= scale_sizes(recipe, size)
    if epochs and not wishes.said("schedule.warmup_epochs"):
        values["schedule.warmup_epochs"] = min(recipe.schedule.warmup_epochs, epochs / 10)
    if wishes.says_true("data.multi_label"):
        values["data.multi_label"] = True
    if values.get("data.multi_label") and recipe.loss.kind == "cross-entropy":
        values |= {"loss.kind": "bce", "evaluate.metric": "map"}
    return override(recipe, wishes.overrides, values)
