"""What a recipe comes to, to be held against a published table: rates, decay, augmentation."""

import torch

from residua.train.update.optimiser import make_groups
from residua.train.update.schedule import rate_factor
from residua.zoo.create import create


def rates(recipe, epochs):
    return [
        recipe.optimiser.lr * rate_factor(recipe.schedule, epoch, recipe.loop.epochs)
        for epoch in epochs
    ]


def count_decayed(recipe):
    """Parameters by their decay, as the optimiser gets them."""
    with torch.device("meta"):
        network = create(recipe.model.name)
    counts = {}
    for group in make_groups(network, recipe.optimiser):
        sizes = sum(parameter.numel() for parameter in group["params"])
        counts[group["weight_decay"]] = counts.get(group["weight_decay"], 0) + sizes
    return counts


def assert_no_augmentation_but(recipe, *parts):
    """Crop and flip aside, only ``parts`` are on."""
    augment = recipe.augment
    on = {
        "policy": augment.policy.kind != "none",
        "erase": augment.erase.kind != "none",
        "mixup": augment.mix.mixup > 0,
        "cutmix": augment.mix.cutmix > 0,
        "colours": bool(augment.lighting or augment.jitter != type(augment.jitter)()),
        "repeats": recipe.data.repeats > 1,
        "progressive": augment.progressive is not None,
    }
    assert {name for name, is_on in on.items() if is_on} == set(parts)
