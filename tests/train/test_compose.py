"""What flags take along: another image size all other sizes, unless these are said too."""

import pytest

from data.shapes import write_shapes
from residua.data.sources.folder import read_folder
from residua.train.recipe.compose import Wishes, compose_recipe


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return read_folder(write_shapes(tmp_path_factory.mktemp("compose") / "shapes", count=2))


def _compose(source, config, size, *overrides):
    wishes = Wishes(config, {"augment.image_size": size}, overrides)
    return compose_recipe(wishes, source, gpu=False).recipe


def test_progressive_sizes_go_along(source):
    recipe = _compose(source, "imagenet/budget/ResNet18-16", 96)
    growth = recipe.augment.progressive
    assert (growth.start_size, growth.end_size) == (80, 96)  # of 160 to 192 at 192
    assert (growth.start_epoch, growth.end_epoch, growth.multiple) == (11, 13, 32)
    assert recipe.evaluate.image_size == 128  # of 256


def test_a_size_that_is_said_stays(source):
    said = ("augment.progressive.start_size=64", "evaluate.image_size=96")
    recipe = _compose(source, "imagenet/budget/ResNet18-16", 96, *said)
    assert recipe.augment.progressive.start_size == 64
    assert recipe.augment.progressive.end_size == 96
    assert recipe.evaluate.image_size == 96
    off = _compose(source, "imagenet/budget/ResNet18-16", 96, "augment.progressive=null")
    assert off.augment.progressive is None


def test_overrides_have_the_last_word_before_anything_is_checked(source):
    # Four epochs alone leave nothing of the five of warm-up, which would be refused.
    wishes = Wishes("scratch", {"loop.epochs": 4}, ("schedule.warmup_epochs=1",))
    recipe = compose_recipe(wishes, source, gpu=False).recipe
    assert (recipe.loop.epochs, recipe.schedule.warmup_epochs) == (4, 1)
    wishes = Wishes("scratch", {"loop.epochs": 4, "schedule.warmup_epochs": 7}, ("loop.epochs=8",))
    recipe = compose_recipe(wishes, source, gpu=False).recipe
    assert (recipe.loop.epochs, recipe.schedule.warmup_epochs) == (8, 7)


def test_the_short_side_of_the_test_goes_along(source):
    part = _compose(source, "tv2", 88).evaluate
    assert (part.image_size, part.short_side) == (112, 116)  # of 224 and 232 at 176


def test_so_does_the_border_of_padded_crops(source):
    recipe = _compose(source, "cifar", 64)
    assert (recipe.augment.crop.kind, recipe.augment.crop.padding) == ("padded", 8)
    assert (recipe.evaluate.image_size, recipe.evaluate.short_side) == (64, 64)
    assert _compose(source, "cifar", None).augment.crop.padding == 4
    assert _compose(source, "finetune", 64).augment.crop.padding == 4  # it has no border
