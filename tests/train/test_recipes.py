"""The recipes of the book against what their sources publish, written out here a second time.

Source: PaddleClas ppcls/configs/ImageNet at d178931f. What decays is counted in parameters, whose
numbers are those that PaddleClas's own networks have.
"""

import csv

import pytest

from recipe_facts import assert_no_augmentation_but, count_decayed, rates
from residua.train.recipe.book import describe, find_recipe, list_recipes
from residua.train.recipe.file import read_recipe_file, spell_recipe
from residua.zoo.table import ROWS

# name: top-1 in percent, trainable parameters
PLAIN = {
    "ResNet18": (70.98, 11_693_736), "ResNet34": (74.57, 21_801_896),
    "ResNet50": (76.50, 25_557_032), "ResNet101": (77.56, 44_549_160),
    "ResNet152": (78.26, 60_192_808),
}  # fmt: skip
# name: L2, top-1 in percent, trainable parameters
VD = {
    "ResNet18_vd": (7e-5, 72.26, 11_712_968), "ResNet34_vd": (7e-5, 75.98, 21_821_128),
    "ResNet50_vd": (7e-5, 79.12, 25_576_264), "ResNet101_vd": (1e-4, 80.17, 44_568_392),
    "ResNet152_vd": (1e-4, 80.59, 60_212_040), "ResNet200_vd": (1e-4, 80.93, 74_738_504),
    "SE_ResNet18_vd": (7e-5, 73.33, 11_802_048), "SE_ResNet34_vd": (7e-5, 76.51, 21_982_324),
    "SE_ResNet50_vd": (7e-5, 79.52, 28_107_256),
}  # fmt: skip
# Relatives: name: L2, top-1 in percent
LIKE_PLAIN = {
    "ResNeXt50_32x4d": (1e-4, 77.75), "ResNeXt50_64x4d": (1e-4, 78.43),
    "ResNeXt101_32x4d": (1e-4, 78.65), "ResNeXt101_64x4d": (1.5e-4, 78.35),
    "ResNeXt152_32x4d": (1e-4, 78.98), "ResNeXt152_64x4d": (1.8e-4, 79.51),
}  # fmt: skip
LIKE_VD = {
    "ResNeXt50_vd_32x4d": (1e-4, 79.56), "ResNeXt50_vd_64x4d": (1e-4, 80.12),
    "ResNeXt101_vd_32x4d": (1e-4, 80.33), "ResNeXt101_vd_64x4d": (1e-4, 80.78),
    "ResNeXt152_vd_32x4d": (1e-4, 80.72), "ResNeXt152_vd_64x4d": (1e-4, 81.08),
    "Res2Net50_26w_4s": (1e-4, 79.33), "Res2Net50_vd_26w_4s": (1e-4, 79.75),
    "Res2Net50_14w_8s": (1e-4, 79.46), "Res2Net101_vd_26w_4s": (1e-4, 80.64),
    "Res2Net200_vd_26w_4s": (1e-4, 81.21), "SE_ResNeXt50_32x4d": (7e-5, 78.44),
    "SE_ResNeXt101_32x4d": (7e-5, 79.39), "SE_ResNeXt50_vd_32x4d": (7e-5, 80.24),
}  # fmt: skip
PIECEWISE = {
    0: 0.1, 29.999: 0.1, 30: 0.01, 59.999: 0.01, 60: 0.001, 89.999: 0.001, 90: 1e-4, 119.999: 1e-4
}  # fmt: skip
# 0.1 (1 + cos(pi e / 200)) / 2
COSINE = {0: 0.1, 50: 0.0853553390593, 100: 0.05, 150: 0.0146446609407, 200: 0.0}


def assert_paddles_way(recipe):
    """What all of PaddleClas's ImageNet recipes share."""
    optimiser, crop = recipe.optimiser, recipe.augment.crop
    assert (optimiser.name, optimiser.momentum, optimiser.nesterov) == ("sgd", 0.9, False)
    assert recipe.schedule.warmup_epochs == 0
    assert recipe.schedule.per == "step"
    assert recipe.loop.batch_size == 4 * 64
    assert (crop.kind, crop.rule, crop.scale) == ("random", "paddle", (0.08, 1.0))
    assert crop.ratio == pytest.approx((3 / 4, 4 / 3), rel=1e-15)
    assert recipe.augment.flip == 0.5
    assert recipe.augment.image_size == recipe.evaluate.image_size == 224
    assert recipe.evaluate.short_side == 256
    assert recipe.evaluate.prepare == "paddle"
    assert not recipe.model.zero_gamma
    assert not recipe.model.pretrained
    assert recipe.loss.kind == "cross-entropy"
    assert recipe.average.kind == "none"


@pytest.mark.parametrize("name", [*PLAIN, *LIKE_PLAIN])
def test_plain_networks_are_trained_as_paddleclas_does(name):
    recipe = find_recipe(f"imagenet/{name}")
    decay = LIKE_PLAIN[name][0] if name in LIKE_PLAIN else 1e-4
    assert_paddles_way(recipe)
    assert_no_augmentation_but(recipe)
    assert recipe.model.name == name
    assert recipe.loop.epochs == 120
    assert recipe.loss.label_smoothing == 0
    assert rates(recipe, PIECEWISE) == pytest.approx(list(PIECEWISE.values()), rel=1e-12)
    assert (recipe.optimiser.weight_decay, recipe.optimiser.decay_all) == (decay, True)
    top1 = PLAIN[name][0] if name in PLAIN else LIKE_PLAIN[name][1]
    assert describe(name).top1 == pytest.approx(top1 / 100, abs=1e-9)


@pytest.mark.parametrize("name", [*VD, *LIKE_VD])
def test_vd_networks_are_trained_as_paddleclas_does(name):
    recipe = find_recipe(f"imagenet/{name}")
    decay, top1 = (VD[name] if name in VD else LIKE_VD[name])[:2]
    assert_paddles_way(recipe)
    assert_no_augmentation_but(recipe, "mixup")
    assert recipe.model.name == name
    assert recipe.loop.epochs == 200
    assert recipe.loss.label_smoothing == 0.1
    assert (recipe.augment.mix.mixup, recipe.augment.mix.probability) == (0.2, 1.0)
    assert rates(recipe, COSINE) == pytest.approx(list(COSINE.values()), abs=1e-12)
    assert (recipe.optimiser.weight_decay, recipe.optimiser.decay_all) == (decay, True)
    assert describe(name).top1 == pytest.approx(top1 / 100, abs=1e-9)


@pytest.mark.parametrize("name", [*PLAIN, *VD])
def test_paddles_l2_is_on_every_parameter(name):
    decay, params = (VD[name][0], VD[name][2]) if name in VD else (1e-4, PLAIN[name][1])
    assert count_decayed(find_recipe(f"imagenet/{name}")) == {decay: params}


def test_resnet50_vc_is_trained_without_mixup():
    recipe = find_recipe("ResNet50_vc")
    assert_paddles_way(recipe)
    assert_no_augmentation_but(recipe)
    assert recipe.loop.epochs == 200
    assert recipe.loss.label_smoothing == 0.1
    assert rates(recipe, COSINE) == pytest.approx(list(COSINE.values()), abs=1e-12)
    assert count_decayed(recipe) == {1e-4: 25_576_264}


@pytest.mark.parametrize(
    ("name", "network", "epochs", "peak", "decay"),
    [
        # PaddleClas distillation_en.md: batch 1024, 0.4, 360 epochs; then 0.004.
        ("ResNet50_vd_ssld", "ResNet50_vd", 360, 0.4, 2e-5),
        ("ResNet50_vd_ssld-stage2", "ResNet50_vd", 60, 0.004, 2e-5),
        ("ResNet101_vd_ssld", "ResNet101_vd", 360, 0.4, 7e-5),
        ("ResNet101_vd_ssld-stage2", "ResNet101_vd", 30, 0.004, 7e-5),
        ("ResNet34_vd_ssld", "ResNet34_vd", 360, 0.4, 7e-5),
    ],
)
def test_ssld_as_published(name, network, epochs, peak, decay):
    recipe = find_recipe(name)
    assert (recipe.model.name, recipe.loop.epochs) == (network, epochs)
    assert recipe.loop.batch_size == 1024
    assert recipe.optimiser.decay_all
    assert recipe.optimiser.weight_decay == decay
    assert rates(recipe, [5, epochs]) == pytest.approx([peak, 0], abs=1e-12)
    assert recipe.loss.label_smoothing == 0
    assert_no_augmentation_but(recipe, *(["policy"] if "50" in name else []))
    part = recipe.distil
    assert (part.method, part.teacher) == ("ssld", "ResNeXt101_32x16d_wsl")
    assert (part.weight, part.label_weight, part.statistics) == (1, 0, "batch")
    assert "will not reach" in describe(name).text


@pytest.mark.parametrize(
    ("name", "rate", "expected"),
    [
        # PaddleClas ppcls/configs/ImageNet/Distillation (shared/reference/paddleclas.md, 4.4).
        ("afd", 0.1, {"label_weight": 1, "soft_weight": 0.9, "temperature": 4, "weight": 50}),
        ("mgd", 0.1, {"label_weight": 1, "weight": 1.756, "hidden": 0.15}),
        ("dist", 0.1, {"label_weight": 1, "weight": 2, "beta": 1, "gamma": 1, "temperature": 1}),
        ("wsl", 0.1, {"label_weight": 1, "weight": 2.5, "temperature": 2}),
        ("pefd", 0.1, {"label_weight": 1, "weight": 25, "projectors": 3}),
        ("dkd", 0.2, {"label_weight": 1, "weight": 1, "temperature": 1, "alpha": 1, "beta": 1}),
        ("skd", 0.1, {"label_weight": 0, "temperature": 1, "multiplier": 2, "alpha": 0.9}),
    ],
)
def test_resnet34_teaches_resnet18(name, rate, expected):
    recipe = find_recipe(f"resnet34_to_18_{name}")
    assert (recipe.model.name, recipe.distil.teacher) == ("ResNet18", "ResNet34")
    assert recipe.distil.method == name
    assert {key: getattr(recipe.distil, key) for key in expected} == expected
    assert (recipe.loop.epochs, recipe.schedule.milestones) == (100, (30, 60, 90))
    assert recipe.optimiser.lr == rate
    assert recipe.loop.batch_size == 2560 * rate  # 64 or 128 pictures on each of 4 cards
    assert_no_augmentation_but(recipe)


def test_undisclosed_settings_are_called_ours():
    assert describe("ResNet34_vd_ssld").source.startswith("ours")
    assert "ours, theirs are not published" in describe("Fix_ResNet50_vd_ssld").source


def test_fixing_the_resolution_trains_the_classifier_on_test_crops():
    recipe = find_recipe("Fix_ResNet50_vd_ssld")
    assert (recipe.model.pretrained, recipe.model.freeze) == ("ResNet50_vd_ssld", "stage4")
    assert (recipe.augment.crop.kind, recipe.augment.flip) == ("centre", 0)
    assert recipe.augment.image_size == recipe.evaluate.image_size == 320
    assert recipe.evaluate.short_side == 366


AUGMENTATIONS = {
    "Baseline": (77.31, (), {}),
    "AutoAugment": (77.95, ("policy",), {"policy.kind": "autoaugment", "policy.table": "imagenet"}),
    "RandAugment": (
        77.70,
        ("policy",),
        {
            "policy.kind": "randaugment", "policy.layers": 2, "policy.magnitude": 5,
            "policy.ranges": "paddle", "policy.probability": 1, "policy.magnitude_std": 0,
        },
    ),
    "Cutout": (
        78.01,
        ("erase",),
        {"erase.kind": "cutout", "erase.holes": 1, "erase.size": 112, "erase.probability": 1},
    ),
    # The share that stays of the paper's r = 0.5: 1 - (1 - 0.5)².
    "GridMask": (
        77.85,
        ("erase",),
        {
            "erase.kind": "gridmask", "erase.grid": (96, 224), "erase.keep": 0.75,
            "erase.rotate": 0, "erase.ramp_epochs": 240, "erase.probability": 1,
        },
    ),
    "HideAndSeek": (
        77.43,
        ("erase",),
        {"erase.kind": "hideandseek", "erase.cells": (0, 16, 32, 44, 56), "erase.hide": 0.5},
    ),
    "RandomErasing": (
        77.91,
        ("erase",),
        {
            "erase.kind": "erasing", "erase.probability": 0.5, "erase.area": (0.02, 0.4),
            "erase.ratio": (0.3, 1 / 0.3), "erase.fill": "mean", "erase.rule": "paddle",
        },
    ),
    "Mixup": (78.28, ("mixup",), {"mix.mixup": 0.2, "mix.probability": 1}),
    "Cutmix": (78.39, ("cutmix",), {"mix.cutmix": 0.2, "mix.probability": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_nine_augmentations_of_paddleclas(name):
    top1, parts, values = AUGMENTATIONS[name]
    recipe = find_recipe(f"imagenet/augment/{name}")
    assert_paddles_way(recipe)
    assert_no_augmentation_but(recipe, *parts)
    assert (recipe.model.name, recipe.loop.epochs) == ("ResNet50", 300)
    assert recipe.loss.label_smoothing == 0
    assert rates(recipe, [0, 150, 300]) == pytest.approx([0.1, 0.05, 0], abs=1e-12)
    assert count_decayed(recipe) == {1e-4: 25_557_032}
    for dotted, value in values.items():
        part, key = dotted.split(".")
        assert getattr(getattr(recipe.augment, part), key) == value, dotted
    assert describe(f"augment/{name}").top1 == pytest.approx(top1 / 100, abs=1e-9)


def test_small_sets_have_their_recipes():
    finetune, scratch = find_recipe("finetune"), find_recipe("scratch")
    assert finetune.optimiser.lr / finetune.loop.batch_size == pytest.approx(0.01 / 32)
    assert finetune.augment.crop.scale == (0.35, 1.0)
    assert finetune.optimiser.nesterov
    assert finetune.model.pretrained
    assert scratch.optimiser.lr / scratch.loop.batch_size == pytest.approx(0.1 / 256)
    assert not scratch.model.pretrained
    probe = find_recipe("linear-probe")
    assert (probe.model.freeze, probe.augment.crop.kind) == ("stage4", "centre")
    cifar = find_recipe("cifar")
    assert (cifar.augment.image_size, cifar.model.small_images) == (32, True)


def test_resnet20_is_trained_as_in_its_paper():
    recipe = find_recipe("ResNet20")
    steps = 352  # of 128 in 45 000 pictures
    assert recipe.loop.epochs == round(64_000 / steps)
    assert recipe.schedule.milestones == (round(32_000 / steps), round(48_000 / steps))
    assert rates(recipe, [0, 91, 136]) == pytest.approx([0.1, 0.01, 0.001])
    assert (recipe.loop.batch_size, recipe.optimiser.weight_decay) == (128, 1e-4)


def test_all_nineteen_have_a_recipe_with_their_published_figure(shared_data):
    path = shared_data.parent / "reference" / "models.tsv"
    if not path.is_file():
        pytest.skip(f"the table of published figures is not here: {path}")
    with path.open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    assert len(lines) == 19
    for line in lines:
        description = describe(f"imagenet/{line['name']}")
        assert description.top1 == pytest.approx(float(line["top1"]), abs=0.001), line["name"]


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_explains_itself_and_names_a_network(name):
    recipe, description = find_recipe(name), describe(name)
    assert description.title
    assert description.source
    assert description.published
    assert description.measured
    assert f"-c {name}" in description.command.split("--")[0]
    assert recipe.model.pretrained or recipe.model.name in ROWS
    tail = name.rpartition("/")[2]
    assert find_recipe(tail) == recipe


@pytest.mark.parametrize("name", ["tv2", "rsb-a1", "ResNet50-16", "GridMask", "finetune"])
@pytest.mark.parametrize("full", [False, True])
def test_a_recipe_spelt_out_reads_as_itself(name, full, tmp_path):
    recipe = find_recipe(name)
    path = tmp_path / "mine.yaml"
    path.write_text(spell_recipe(recipe, full=full), encoding="utf-8")
    assert read_recipe_file(path) == recipe
