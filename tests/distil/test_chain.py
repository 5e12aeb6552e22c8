"""SSLD as a whole: its stages, killed in each and gone on with; and soups."""

import numpy as np
import pytest

from distil.conftest import make_recipe
from residua.base.errors import SettingError, StoppedError
from residua.bundle.store import read_bundle, write_bundle
from residua.distil.chain import Chain, make_fix, run_chain
from residua.distil.methods import METHODS
from residua.distil.mine import run as mining
from residua.distil.mine.run import Wanted
from residua.distil.soup import cook
from residua.train.recipe.file import change
from residua.train.run import train
from residua.train.stop import StopRequest


@pytest.fixture(scope="module")
def chain(more):
    return Chain(str(more), Wanted(15, 0.4), second_epochs=1, fix_size=32)


@pytest.fixture(scope="module")
def recipe(teacher):
    values = METHODS["ssld"].values | {"distil.teacher": str(teacher.path), "loop.epochs": 2}
    return change(make_recipe(), values)


@pytest.fixture(scope="module")
def undisturbed(recipe, parts, chain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    found = run_chain(recipe, parts, chain, output=folder / "s.bundle", work=folder / "s.ssld")
    assert found.mined["pictures"] == 60
    return found.stages, read_bundle(folder / "s.bundle")


def test_every_stage_leaves_its_bundle_and_figures(undisturbed, recipe):
    stages, bundle = undisturbed
    assert [stage.name for stage in stages] == ["stage1", "stage2", "fix"]
    first, second, fix = (stage.bundle.manifest for stage in stages)
    assert second.recipe["optimiser"]["lr"] == pytest.approx(recipe.optimiser.lr / 100)
    assert second.provenance.parent.endswith("stage1.bundle")
    assert (first.preprocess.crop_size, fix.preprocess.crop_size) == (24, 32)
    notes = bundle.manifest.provenance.notes
    assert notes[0].startswith(f"taught by {recipe.distil.teacher} (weights ")
    assert notes[1].startswith("mine: ")
    for stage in stages:
        assert any(note.startswith(f"{stage.name}: top-1") for note in notes)
    last = stages[-1].bundle.tensors()
    assert all(np.array_equal(last[name], array) for name, array in bundle.tensors().items())


def test_fixing_changes_the_last_layer_alone(undisturbed):
    stages, _ = undisturbed
    before, after = (stage.bundle.tensors() for stage in stages[-2:])
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    norm = "stages.3.1.conv1.norm."
    parts = ("weight", "bias", "running_mean", "running_var")
    assert changed == {"head.weight", "head.bias", *(norm + part for part in parts)}


@pytest.mark.parametrize("stage", ["mine", "stage1", "stage2", "fix"])
def test_broken_off_in_any_stage_it_goes_on_to_the_same(
    stage, undisturbed, recipe, parts, chain, tmp_path, monkeypatch
):
    where = {"output": tmp_path / "s.bundle", "work": tmp_path / "s.ssld"}
    with monkeypatch.context() as patched:
        if stage == "mine":
            patched.setattr(mining, "write_chosen", _break_off)
            with pytest.raises(KeyboardInterrupt):
                run_chain(recipe, parts, chain, **where)
        else:
            # Stage 1 has 2 epochs of 6 updates with the chosen ones, the others fewer.
            updates = {"stage1": 4, "stage2": None, "fix": None}[stage]
            _stop_in(patched, stage, updates or 2, tmp_path / "s.ssld")
            with pytest.raises(StoppedError):
                run_chain(recipe, parts, chain, **where)
    stages = run_chain(recipe, parts, chain, **where).stages
    for found, expected in zip(stages, undisturbed[0], strict=True):
        tensors = expected.bundle.tensors()
        for name, array in found.bundle.tensors().items():
            np.testing.assert_array_equal(array, tensors[name], err_msg=f"{found.name} {name}")


def _break_off(*_, **__):
    raise KeyboardInterrupt


def _stop_in(patched, stage, updates, work):
    """Stop after so many updates of a stage, which has begun where its folder is."""
    counted = []

    def agreed(_):
        if (work / f"{stage}.run").exists():
            counted.append(1)
        return len(counted) == updates

    patched.setattr(StopRequest, "agreed", agreed)


def test_a_stage_that_is_done_is_not_run_again(undisturbed, recipe, parts, chain, monkeypatch):
    stages, bundle = undisturbed
    work = stages[0].bundle.path.parent
    before = stages[0].bundle.path.stat().st_mtime_ns
    monkeypatch.setattr("residua.distil.chain.distil", _break_off)
    monkeypatch.setattr("residua.distil.chain.train", _break_off)
    run_chain(recipe, parts, chain, output=bundle.path, work=work, overwrite=True)
    assert stages[0].bundle.path.stat().st_mtime_ns == before
    longer = change(recipe, {"loop.epochs": 3})
    with pytest.raises(KeyboardInterrupt):  # another recipe begins anew
        run_chain(longer, parts, chain, output=bundle.path, work=work, overwrite=True)


def test_another_teacher_under_the_same_name_teaches_anew(recipe, parts, teacher, tmp_path):
    path = tmp_path / "t.bundle"
    write_bundle(path, teacher.manifest, teacher.tensors())
    short = change(recipe, {"distil.teacher": str(path), "loop.epochs": 1})
    where = {"output": tmp_path / "s.bundle", "work": tmp_path / "s.ssld", "overwrite": True}
    chain = Chain(second_epochs=1)

    def run(**how):
        bundle = run_chain(short, parts, chain, **where, **how).stages[0].bundle
        return bundle, (bundle.path / "bundle.json").stat().st_mtime_ns

    _, first = run()
    assert run()[1] == first
    assert run(restart=True)[1] != first
    tensors = teacher.tensors()
    tensors["head.weight"] = -tensors["head.weight"]
    write_bundle(path, teacher.manifest, tensors, overwrite=True)
    other, _ = run()
    sha256 = read_bundle(path).manifest.files["weights.safetensors"].sha256
    assert other.manifest.recipe["distil"]["teacher_sha256"] == sha256


@pytest.mark.parametrize(
    ("values", "chain", "problem"),
    [
        ({"distil.method": "kd"}, Chain(), "The chain is SSLD's"),
        ({"loop.budget_minutes": 3.0}, Chain(), "A budget is of one training"),
        ({}, Chain(fix_size=3), "8 pixels at least"),
        ({"distil.teacher": "t.ONNX"}, Chain("somewhere"), "open as a bundle"),
    ],
)
def test_what_the_chain_cannot_do_is_said_before_any_work(
    recipe, parts, tmp_path, values, chain, problem
):
    where = {"output": tmp_path / "s.bundle", "work": tmp_path / "s.ssld"}
    with pytest.raises(SettingError, match=problem):
        run_chain(change(recipe, values), parts, chain, **where)
    assert not where["work"].exists()


def test_fixing_keeps_seed_and_format(recipe, teacher):
    like = change(recipe, {"loop.seed": 3, "precision.compute": "fp32", "data.val_fraction": 0.3})
    made = make_fix(teacher, 48, "imagenet/fix", like=like)
    assert (made.loop.seed, made.precision.compute) == (3, "fp32")
    assert made.data.val_fraction == 0.3
    assert (made.augment.image_size, made.evaluate.image_size) == (48, 48)
    with pytest.raises(SettingError, match="larger pictures"):
        make_fix(teacher, 16, "fix-size", like=like)


@pytest.fixture(scope="module")
def trainings(teacher, parts, tmp_path_factory):
    """Three trainings that begin with the teacher's weights."""
    folder = tmp_path_factory.mktemp("soup")
    found = []
    for seed, rate in ((1, 0.01), (2, 0.02), (3, 2.0)):
        recipe = change(
            make_recipe("", ()),
            {
                "model.pretrained": str(teacher.path), "model.stem_width": 8, "loop.seed": seed,
                "optimiser.lr": rate, "loop.epochs": 1, "model.small_images": True,
            },
        )  # fmt: skip
        found.append(train(recipe, parts, output=folder / f"{seed}.bundle").bundle)
    return found


def test_a_soup_is_no_worse_than_its_best_and_is_a_plain_mean(trainings, parts):
    soup = cook(trainings, parts.validation)
    alone = [each.metrics.top1 for each in soup.tasted]
    assert alone == sorted(alone, reverse=True)
    assert soup.metrics.top1 >= alone[0]
    joined = [each.bundle.tensors() for each in soup.tasted if each.joined]
    for name, array in soup.tensors.items():
        mean = np.mean([each[name].astype(np.float64) for each in joined], axis=0)
        np.testing.assert_allclose(array, mean, rtol=1e-6, atol=1e-7)


def test_different_networks_make_no_soup(trainings, undisturbed, parts):
    with pytest.raises(SettingError, match="differ in their networks"):
        cook([trainings[0], undisturbed[1]], parts.validation)
    with pytest.raises(SettingError, match="two bundles"):
        cook(trainings[:1], parts.validation)
