"""Recipes of torchvision, ResNet strikes back and ffcv-imagenet against what they publish.

Sources: torchvision references/classification and issue 3995, whose schedulers are torch's own;
arXiv 2110.00476, table 2; ffcv-imagenet ``train_imagenet.py`` and its configs at 4dd291a1.
"""

import math

import numpy as np
import pytest
import torch

from recipe_facts import assert_no_augmentation_but, count_decayed, rates
from residua.data.augment.chain import choose_size
from residua.train.recipe.book import describe, find_recipe


def torch_rates(peak, epochs, make):
    """The rate of each epoch by torch's own schedulers, as torchvision's script steps them."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = make(optimiser)
    values = []
    for _ in range(epochs):
        values.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return values


def test_torchvision_v1():
    recipe = find_recipe("imagenet/tv1")
    expected = torch_rates(
        0.1, 90, lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, 30, gamma=0.1)
    )
    assert (recipe.model.name, recipe.loop.epochs) == ("ResNet50", 90)
    assert recipe.loop.batch_size == 8 * 32
    assert rates(recipe, range(90)) == pytest.approx(expected, rel=1e-9)
    assert rates(recipe, [29.999]) == pytest.approx([0.1], rel=1e-12)
    assert count_decayed(recipe) == {1e-4: 25_557_032}
    assert recipe.optimiser.momentum == 0.9
    assert not recipe.optimiser.nesterov
    assert_no_augmentation_but(recipe)
    assert recipe.augment.crop.rule == "torchvision"
    assert (recipe.augment.image_size, recipe.evaluate.short_side) == (224, 256)
    assert describe("tv1").top1 == pytest.approx(0.7613)


def make_v2_scheduler(optimiser):
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

    warmup = LinearLR(optimiser, start_factor=0.01, total_iters=5)
    return SequentialLR(optimiser, [warmup, CosineAnnealingLR(optimiser, T_max=595)], [5])


@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_torchvision_v2_changes_its_rate_as_their_schedulers_do():
    recipe = find_recipe("imagenet/tv2")
    expected = torch_rates(0.5, 600, make_v2_scheduler)
    assert rates(recipe, range(600)) == pytest.approx(expected, abs=1e-9)
    # Once an epoch, not within it.
    assert rates(recipe, [3.9, 300.7]) == pytest.approx([expected[3], expected[300]], abs=1e-9)


def test_torchvision_v2():
    recipe = find_recipe("imagenet/tv2")
    augment, average = recipe.augment, recipe.average
    assert (recipe.model.name, recipe.loop.epochs) == ("ResNet50", 600)
    assert recipe.loop.batch_size == 8 * 128
    assert (augment.image_size, recipe.evaluate.short_side) == (176, 232)
    assert recipe.evaluate.image_size == 224
    assert_no_augmentation_but(recipe, "policy", "erase", "mixup", "cutmix", "repeats")
    assert augment.policy.kind == "trivialaugment"
    assert (augment.mix.mixup, augment.mix.cutmix, augment.mix.switch) == (0.2, 1.0, 0.5)
    assert (augment.erase.kind, augment.erase.probability) == ("erasing", 0.1)
    assert (augment.erase.area, augment.erase.ratio) == ((0.02, 0.33), (0.3, 3.3))
    assert augment.erase.rule == "torchvision"
    assert recipe.data.repeats == 4
    assert recipe.loss.label_smoothing == 0.1
    # 53 120 scales and shifts and 1000 biases do not decay.
    assert count_decayed(recipe) == {2e-5: 25_557_032 - 53_120 - 1000, 0.0: 53_120 + 1000}
    assert (average.kind, average.every) == ("ema", 32)
    # references/classification/train.py: alpha = (1 - decay) * processes * batch * steps / epochs
    assert average.decay == pytest.approx(1 - (1 - 0.99998) * 8 * 128 * 32 / 600, abs=1e-12)
    assert describe("tv2").top1 == pytest.approx(0.80858)


# arXiv 2110.00476, table 2
RSB = {
    "a1": {"epochs": 600, "lr": 5e-3, "decay": 0.01, "smoothing": 0.1, "drop": 0.05, "repeats": 3,
           "magnitude": 7, "mixup": 0.2, "size": 224, "top1": 0.804},
    "a2": {"epochs": 300, "lr": 5e-3, "decay": 0.02, "smoothing": 0.0, "drop": 0.05, "repeats": 3,
           "magnitude": 7, "mixup": 0.1, "size": 224, "top1": 0.798},
    "a3": {"epochs": 100, "lr": 8e-3, "decay": 0.02, "smoothing": 0.0, "drop": 0.0, "repeats": 1,
           "magnitude": 6, "mixup": 0.1, "size": 160, "top1": 0.781},
}  # fmt: skip


@pytest.mark.parametrize("name", RSB)
def test_resnet_strikes_back(name):
    row, recipe = RSB[name], find_recipe(f"rsb-{name}")
    policy, mix, optimiser = recipe.augment.policy, recipe.augment.mix, recipe.optimiser
    assert (recipe.model.name, recipe.model.drop_path) == ("ResNet50", row["drop"])
    assert (recipe.loop.epochs, recipe.loop.batch_size) == (row["epochs"], 2048)
    assert recipe.augment.image_size == row["size"]
    # A test crop ratio of 0.95.
    assert recipe.evaluate.image_size == 224
    assert recipe.evaluate.short_side == math.floor(224 / 0.95)
    assert (recipe.loss.kind, recipe.loss.target_threshold) == ("bce", 0.2)
    assert recipe.loss.label_smoothing == row["smoothing"]
    assert (optimiser.name, optimiser.eps) == ("lamb", 1e-6)
    assert count_decayed(recipe) == {row["decay"]: 25_502_912, 0.0: 54_120}
    assert recipe.data.repeats == row["repeats"]
    assert (policy.kind, policy.ranges, policy.layers) == ("randaugment", "timm", 2)
    assert (policy.magnitude, policy.magnitude_std) == (row["magnitude"], 0.5)
    assert (mix.mixup, mix.cutmix) == (row["mixup"], 1.0)
    assert recipe.augment.erase.kind == "none"
    assert recipe.average.kind == "none"
    assert describe(f"rsb-{name}").top1 == row["top1"]


@pytest.mark.parametrize("name", RSB)
def test_the_rate_of_resnet_strikes_back(name):
    row, recipe = RSB[name], find_recipe(f"rsb-{name}")
    peak, epochs = row["lr"], row["epochs"]
    # timm: 1e-4 + epoch * (peak - 1e-4) / 5 over five epochs, once an epoch; at last 1e-6.
    expected = [1e-4 + epoch * (peak - 1e-4) / 5 for epoch in range(6)]
    assert rates(recipe, range(6)) == pytest.approx(expected, rel=1e-9)
    middle = 5 + (epochs - 5) // 2
    progress = (middle - 5) / (epochs - 5)
    assert rates(recipe, [middle, epochs]) == pytest.approx(
        [1e-6 + (peak - 1e-6) * (1 + math.cos(math.pi * progress)) / 2, 1e-6], rel=1e-9
    )


# ffcv-imagenet: lr, batch over all cards, weight decay, parameters that are neither norm nor bias
LADDER = {
    "ResNet18": (0.5, 1024, 5e-5, 11_693_736 - 9_728 - 1000),
    "ResNet50": (1.7, 8 * 512, 1e-4, 25_502_912),
}
RAMPS = {16: (11, 13), 32: (23, 27), 88: (65, 76)}
TOP1 = {
    ("ResNet18", 16): 0.669, ("ResNet18", 32): 0.700, ("ResNet18", 88): 0.724,
    ("ResNet50", 16): 0.738, ("ResNet50", 32): 0.766, ("ResNet50", 88): 0.784,
}  # fmt: skip


@pytest.mark.parametrize(("model", "epochs"), TOP1)
def test_the_budget_ladder(model, epochs):
    peak, batch, decay, decayed = LADDER[model]
    name = f"imagenet/budget/{model}-{epochs}"
    recipe = find_recipe(name)
    assert (recipe.model.name, recipe.loop.epochs, recipe.loop.batch_size) == (model, epochs, batch)
    assert recipe.loss.label_smoothing == 0.1
    assert count_decayed(recipe)[decay] == decayed
    # get_cyclic_lr
    when = np.linspace(0, epochs, 4 * epochs + 1).tolist()
    expected = np.interp(when, [0, 2, epochs], [1e-4 * peak, peak, 0]).tolist()
    assert rates(recipe, when) == pytest.approx(expected, abs=1e-9)
    # get_resolution
    low, high = RAMPS[epochs]
    sizes = [
        160 if e <= low else 192 if e >= high
        else int(np.round(np.interp([e], [low, high], [160, 192])[0] / 32)) * 32
        for e in range(epochs)
    ]  # fmt: skip
    assert [choose_size(recipe.augment, epoch) for epoch in range(epochs)] == sizes
    assert recipe.evaluate.image_size == 256
    assert recipe.evaluate.short_side == round(256 * 256 / 224)
    assert describe(name).top1 == TOP1[model, epochs]
