"""Every configuration of the document against the recipes of the book, which have other sources."""

import pytest

from paddle_configurations import (
    AUGMENTED,
    DISTILLED,
    PLAIN,
    SSLD,
    VD,
    augmented,
    distilled,
    fixed,
    improved,
    plain,
    ssld,
    write,
)
from residua.base.errors import SettingError
from residua.compat.config.read import read_configuration
from residua.compat.training import fit_precision
from residua.compat.translate.whole import translate
from residua.train.recipe.book import find_recipe

# What a recipe of the book and a translation have to agree on.
PARTS = ("loss", "optimiser", "schedule", "augment", "average", "distil")


def compare(path, name, *, cards=4, but=()):
    configuration = read_configuration(path)
    found, wanted = translate(configuration, cards=cards).recipe, find_recipe(name)
    for part in PARTS:
        ours, theirs = (recipe.model_dump()[part] for recipe in (found, wanted))
        for key in set(ours) - {key.partition(".")[2] for key in but if key.startswith(part)}:
            assert ours[key] == theirs[key], f"{part}.{key}"
    assert found.loop.epochs == wanted.loop.epochs
    assert found.loop.batch_size == wanted.loop.batch_size
    assert found.evaluate.image_size == wanted.evaluate.image_size
    assert found.evaluate.short_side == wanted.evaluate.short_side
    return configuration, found, wanted


@pytest.mark.parametrize("name", PLAIN)
def test_plain_networks(tmp_path, name):
    configuration, found, wanted = compare(write(tmp_path, plain(name)), f"imagenet/{name}")
    assert found.model == wanted.model
    assert found.evaluate.prepare == "paddle"
    told = [note for note in configuration.findings.notes if "begins from scratch" in note]
    assert len(told) == (name == "ResNet50")
    assert any("drop_last is False" in note for note in configuration.findings.notes)


@pytest.mark.parametrize("name", VD)
def test_improved_networks(tmp_path, name):
    configuration, found, wanted = compare(write(tmp_path, improved(name)), f"imagenet/{name}")
    assert found.model == wanted.model
    assert all("drop_last" in note for note in configuration.findings.notes)


@pytest.mark.parametrize("name", SSLD)
def test_ssld(tmp_path, name):
    _, found, wanted = compare(write(tmp_path, ssld(name)), f"imagenet/{name}", cards=32)
    assert found.model == wanted.model
    assert found.distil.teacher == "ResNeXt101_32x16d_wsl"


def test_fix(tmp_path):
    # There parts stand still by a rate of 0, here by freezing.
    but = ("optimiser.lr_multipliers",)
    _, found, wanted = compare(write(tmp_path, fixed()), "imagenet/Fix_ResNet50_vd_ssld", but=but)
    assert found.model.pretrained == wanted.model.pretrained == "ResNet50_vd_ssld"
    assert set(found.optimiser.lr_multipliers.values()) == {0}
    assert len(found.optimiser.lr_multipliers) == 5


@pytest.mark.parametrize("kind", AUGMENTED)
def test_augmentations(tmp_path, kind):
    configuration, found, wanted = compare(
        write(tmp_path, augmented(kind)), f"imagenet/augment/{kind}"
    )
    assert found.model == wanted.model
    notes = [note for note in configuration.findings.notes if "drop_last" not in note]
    said = {"Mixup": "second softmax", "Cutmix": "second softmax"}
    said |= {kind: kind for kind in AUGMENTED if kind not in {"Baseline", "RandomErasing", *said}}
    assert [said[kind] in note for note in notes] == [True] * (kind in said)


@pytest.mark.parametrize("method", DISTILLED)
def test_distillation(tmp_path, method):
    configuration, found, wanted = compare(
        write(tmp_path, distilled(method)), f"imagenet/resnet34_to_18_{method}"
    )
    assert found.model == wanted.model
    assert found.distil.teacher == "ResNet34"
    assert any("batch's statistics" in note for note in configuration.findings.notes)


def test_a_card_alone_sees_a_quarter(tmp_path):
    path = write(tmp_path, plain("ResNet18"))
    configuration = read_configuration(path)
    assert translate(configuration, cards=1).recipe.loop.batch_size == 64
    assert any("64 of each card, 1 card." in note for note in configuration.findings.notes)
    gathered = read_configuration(path, ["Global.update_freq=4"])
    recipe = translate(gathered, cards=1).recipe
    assert (recipe.loop.batch_size, recipe.loop.micro_batch) == (256, 64)


def test_every_key_is_explained_or_refused(tmp_path):
    content = plain("ResNet18")
    content["Optimizer"]["learning_rat"] = 0.1
    content["Global"]["epoch"] = 3
    with pytest.raises(SettingError, match=r"Global\.epoch.*Optimizer\.learning_rat") as caught:
        translate(read_configuration(write(tmp_path, content)), cards=4)
    assert "Nearest to Global.epoch: epochs" in caught.value.next_step


def test_float16_is_for_gpus(tmp_path):
    content = plain("ResNet18")
    content["AMP"] |= {"use_amp": True, "level": "O2"}
    configuration = read_configuration(write(tmp_path, content))
    recipe = translate(configuration, cards=4).recipe
    assert recipe.precision.compute == "fp16"
    assert any("AMP.level is O2" in note for note in configuration.findings.notes)
    fitted = fit_precision(recipe, "cpu", configuration.findings)
    assert fitted.precision.compute == "auto"
    assert any("AMP on a processor" in note for note in configuration.findings.notes)
