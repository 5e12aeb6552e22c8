"""Recipes: typed, complete, and helpful about mistakes."""

import pytest

from making_recipes import fine_tune, from_scratch
from residua.base.errors import SettingError, UnknownNameError
from residua.train.recipe.file import change, read_recipe

_SMALLEST = {"model": {"name": "ResNet18"}, "optimiser": {"lr": 0.1}, "loop": {"epochs": 3}}


def test_a_recipe_survives_json():
    recipe = from_scratch("ResNet18_vd", epochs=7, image_size=32)
    assert read_recipe(recipe.model_dump(mode="json")) == recipe


def test_defaults_are_written_out():
    recipe = read_recipe(_SMALLEST)
    assert recipe.model_dump()["optimiser"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("content", "given", "first"),
    [
        ({**_SMALLEST, "optimizer": {}}, "optimizer", "optimiser"),
        ({**_SMALLEST, "optimiser": {"rl": 1}}, "optimiser.rl", "optimiser.lr"),
        ({**_SMALLEST, "loop": {"epoch": 1}}, "loop.epoch", "loop.epochs"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest(content, given, first):
    with pytest.raises(UnknownNameError, match=f"recipe key named '{given}'") as caught:
        read_recipe(content)
    assert caught.value.suggestions[0] == first


@pytest.mark.parametrize(
    ("change_", "message"),
    [
        ({"optimiser": {"lr": -1}}, r"optimiser\.lr .*given: -1"),
        ({"loop": {"epochs": 0}}, r"loop\.epochs"),
        ({"loop": {"epochs": 3, "batch_size": 1}}, r"loop\.batch_size"),
        ({"augment": {"crop": {"scale": [0.5, 0.2]}}}, "scale must rise"),
        ({"augment": {"crop": {"ratio": [0, 1]}}}, "ratio must rise"),
        ({"schedule": {"warmup_epochs": 3}}, "leaves nothing of the 3"),
        ({"evaluate": {"metric": "map"}}, "map is of multi-label data"),
        ({"average": {"kind": "uniform", "start_epoch": 3}}, "is not reached by loop.epochs 3"),
        ({"precision": {"compute": "fp8"}}, r"precision\.compute"),
        ({"loop": 3}, "loop"),
    ],
)
def test_senseless_values_are_refused_by_name(change_, message):
    with pytest.raises(SettingError, match=message):
        read_recipe({**_SMALLEST, **change_})


def test_change_replaces_single_values_and_skips_none():
    recipe = change(
        from_scratch("ResNet18", epochs=10), {"optimiser.lr": 0.5, "augment.mix.mixup": None}
    )
    assert recipe.optimiser.lr == 0.5
    assert recipe == change(recipe, {"augment.mix.mixup": None})


def test_change_refuses_unknown_keys():
    with pytest.raises(UnknownNameError, match=r"optimiser\.lrr") as caught:
        change(from_scratch("ResNet18", epochs=10), {"optimiser.lrr": 1})
    assert caught.value.suggestions[0] == "optimiser.lr"


def test_the_rate_follows_the_batch():
    rates = [from_scratch("ResNet18", epochs=9, batch_size=size).optimiser.lr for size in (64, 256)]
    assert rates == [0.025, 0.1]


@pytest.mark.parametrize("epochs", [1, 2, 10, 100])
def test_presets_hold_for_any_length(epochs):
    for recipe in (from_scratch("ResNet18", epochs=epochs), fine_tune("x", epochs=epochs)):
        assert recipe.loop.epochs == epochs
        assert recipe.schedule.warmup_epochs < epochs


def test_small_pictures_get_the_small_stem():
    assert from_scratch("ResNet18", epochs=1, image_size=32).model.small_images
    assert not from_scratch("ResNet18", epochs=1, image_size=128).model.small_images
