"""Whole distillations: with pictures that have no labels, gone on with, and refused."""

import pytest
import torch

from distil.conftest import make_recipe
from residua.base.errors import SettingError, StoppedError
from residua.bundle.store import WEIGHTS, write_bundle
from residua.data.source import UNLABELLED
from residua.data.sources.unlabelled import join, open_unlabelled
from residua.distil.methods import METHODS
from residua.distil.run import distil, warn_of_smoothing
from residua.train.recipe.distil import DistilPart
from residua.train.recipe.file import change
from residua.train.run import train
from residua.train.stop import StopRequest


def recipe_of(name, teacher, **changes):
    values = METHODS[name].values | {"distil.teacher": str(teacher.path)}
    return change(make_recipe(), values | changes)


def tensors(bundle):
    return {name: torch.from_numpy(array) for name, array in bundle.tensors().items()}


def test_a_student_learns_from_pictures_without_labels(teacher, parts, more, tmp_path):
    unlabelled = open_unlabelled(more, parts.training.classes)
    assert len(unlabelled) == 60
    assert set(unlabelled.labels) == {UNLABELLED}
    recipe = recipe_of("ssld", teacher, **{"loop.epochs": 16})
    trained = distil(recipe, parts, unlabelled=unlabelled, output=tmp_path / "s.bundle")
    assert trained.metrics.top1 > 0.8
    said = trained.bundle.manifest.recipe["distil"]
    assert said["teacher_sha256"] == teacher.manifest.files[WEIGHTS].sha256


def test_both_sources_are_read(parts, more):
    unlabelled = open_unlabelled(more, parts.training.classes)
    both = join(parts.training, unlabelled)
    count = len(parts.training)
    assert len(both) == count + 60
    assert both.read(0) == parts.training.read(0)
    assert both.read(count + 7) == unlabelled.read(7)
    assert both.spell_label(count) == ""
    assert both.count_classes().sum() == count


@pytest.mark.parametrize("name", ["ssld", "mgd", "dml"])
def test_an_interrupted_run_goes_on_exactly(name, teacher, parts, tmp_path, monkeypatch):
    recipe = recipe_of(name, teacher, **{"loop.epochs": 2, "augment.mix.mixup": 0.4})
    if name == "dml":
        recipe = change(recipe, {"distil.teacher": ""})
    undisturbed = distil(recipe, parts, output=tmp_path / "a.bundle")
    asked = iter([False] * 5 + [True] + [False] * 100)
    with monkeypatch.context() as patched:
        patched.setattr(StopRequest, "agreed", lambda _: next(asked))
        with pytest.raises(StoppedError):
            distil(recipe, parts, output=tmp_path / "b.bundle", run_folder=tmp_path / "b.run")
    resumed = distil(recipe, parts, output=tmp_path / "b.bundle", run_folder=tmp_path / "b.run")
    expected, found = tensors(undisturbed.bundle), tensors(resumed.bundle)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert [each.loss for each in undisturbed.epochs] == [each.loss for each in resumed.epochs]


def test_plain_training_refuses_a_recipe_with_a_teacher(teacher, parts, tmp_path):
    with pytest.raises(SettingError, match="learns from a teacher"):
        train(recipe_of("kd", teacher), parts, output=tmp_path / "s.bundle")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distil.teacher": ""}, "needs a teacher"),
        ({"distil.method": "none"}, "no distil.method"),
        ({"distil.teacher_sha256": "0" * 64}, "not those of the recipe"),
    ],
)
def test_what_cannot_be_distilled_is_said(teacher, parts, tmp_path, changes, said):
    with pytest.raises(SettingError, match=said):
        distil(recipe_of("kd", teacher, **changes), parts, output=tmp_path / "s.bundle")


def test_methods_that_learn_nothing_without_labels_refuse_such_pictures(
    teacher, parts, more, tmp_path
):
    unlabelled = open_unlabelled(more, parts.training.classes)
    with pytest.raises(SettingError, match="learns nothing"):
        distil(
            recipe_of("dkd", teacher), parts, unlabelled=unlabelled, output=tmp_path / "s.bundle"
        )


@pytest.mark.parametrize(("share", "told"), [(0.1, True), (0.0, False)])
def test_a_smoothed_teacher_is_said(teacher, tmp_path, share, told):
    recipe = dict(teacher.manifest.recipe)
    recipe["loss"] = recipe["loss"] | {"label_smoothing": share}
    manifest = teacher.manifest.model_copy(update={"recipe": recipe})
    write_bundle(tmp_path / "t.bundle", manifest, teacher.tensors())
    part = DistilPart(method="kd", teacher=str(tmp_path / "t.bundle"))
    assert ("label smoothing 0.1" in warn_of_smoothing(part)) == told
    assert warn_of_smoothing(DistilPart(method="dml")) == ""
