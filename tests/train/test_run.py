"""Whole runs on coloured shapes: they learn, repeat, and leave a bundle or nothing."""

import json
import os

import numpy as np
import pytest
import torch

from data.shapes import SHAPES, write_shapes
from making_recipes import from_scratch
from residua.base.errors import DataError, SettingError, TrainingError
from residua.bundle.store import read_bundle
from residua.data.settings import DataPart
from residua.data.source import Parts
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts
from residua.data.view import EvaluationView
from residua.engines.choose import open_engine
from residua.evaluate.run import evaluate
from residua.evaluate.validation import Validation
from residua.predict.classifier import Classifier
from residua.train.display import Display
from residua.train.recipe.file import change, read_recipe_file
from residua.train.run import train
from residua.train.storage import checkpoint

_EVENTS = ["start", "step", "step", "epoch", "end"]


def _recipe(**changes):
    recipe = from_scratch("ResNet18_vd", epochs=6, batch_size=16, image_size=24)
    values = {
        "model.widths": (8, 8, 16, 16), "model.stem_width": 8, "optimiser.lr": 0.1,
        "augment.crop.scale": (0.7, 1.0), "schedule.warmup_epochs": 0.5,
    }  # fmt: skip
    return change(recipe, values | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes"), count=40)


@pytest.fixture(scope="module")
def parts(folder):
    return open_parts(folder, DataPart(val_fraction=0.2, split_seed=0))


@pytest.fixture(scope="module")
def trained(parts, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "shapes.bundle"
    return train(_recipe(), parts, output=output)


def _quick(parts, output, recipe=None, **options):
    """A run of one epoch, unless ``recipe`` says otherwise."""
    return train(recipe or _recipe(**{"loop.epochs": 1}), parts, output=output, **options)


def test_shapes_are_learnt(trained):
    assert trained.metrics.top1 == 1.0
    assert trained.epochs[-1].loss < trained.epochs[0].loss


def test_the_bundle_says_what_it_is(trained, parts):
    manifest = read_bundle(trained.bundle.path).manifest
    assert manifest.classes.names == tuple(SHAPES)
    assert manifest.preprocess.crop_size == 24
    assert manifest.architecture.widths == (8, 8, 16, 16)
    assert manifest.metrics == (trained.metrics,)
    assert manifest.metrics[0].images == len(parts.validation) == 24
    assert len(manifest.metrics[0].data_sha256) == 64
    assert manifest.recipe == _recipe().model_dump(mode="json")
    assert manifest.provenance.made_by == "residua train"
    assert manifest.provenance.source_sha256 == parts.listing_sha256


def test_training_evaluation_and_prediction_give_one_answer(trained, parts, folder):
    """The counts of the last validation are those of the bundle, whoever counts."""
    bundle, held_out = read_bundle(trained.bundle.path), parts.validation
    classifier = Classifier(bundle)
    view = EvaluationView(held_out, bundle.manifest.preprocess)
    result = evaluate(classifier.engine.run, view)
    assert result.metrics.top1 == trained.metrics.top1
    assert result.metrics.per_class == trained.metrics.per_class
    assert result.metrics.loss == pytest.approx(trained.metrics.loss, rel=1e-4)
    assert result.metrics.data_sha256 == trained.metrics.data_sha256
    predictions = classifier.predict([folder / name for name in held_out.names])
    right = sum(
        prediction.class_ids[0] == label
        for prediction, label in zip(predictions, held_out.labels, strict=True)
    )
    assert right == round(trained.metrics.top1 * len(held_out))


def test_one_answer_also_where_the_network_is_often_wrong(parts, tmp_path):
    """The same after one poor epoch, so that the counts are no trivial ones."""
    recipe = _recipe(**{"loop.epochs": 1, "optimiser.lr": 0.01})
    parts = Parts(parts.training, parts.training)
    trained = train(recipe, parts, output=tmp_path / "poor.bundle")
    assert trained.metrics.top1 < 1
    bundle = read_bundle(trained.bundle.path)
    view = EvaluationView(parts.training, bundle.manifest.preprocess)
    result = evaluate(Classifier(bundle).engine.run, view)
    np.testing.assert_array_equal(result.tally.right, trained.evaluation.tally.right)


def test_the_same_seed_gives_the_same_weights(parts, tmp_path):
    recipe = _recipe(**{"loop.epochs": 1, "augment.mix.mixup": 0.2, "model.drop_path": 0.1})
    weights = []
    for number in range(2):
        torch.manual_seed(number)  # what went before must not matter
        output = tmp_path / f"{number}.bundle"
        options = {} if number == 0 else {"cache_bytes": 0}
        weights.append(_quick(parts, output, recipe, **options).bundle.tensors())
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name], err_msg=name)
    other = _quick(parts, tmp_path / "other.bundle", change(recipe, {"loop.seed": 1}))
    assert (other.bundle.tensors()["head.weight"] != weights[0]["head.weight"]).any()


def test_the_record_tells_the_run(parts, tmp_path):
    run = tmp_path / "x.run"
    recipe = _recipe(**{"loop.epochs": 1, "loop.log_every": 4})
    _quick(parts, tmp_path / "x.bundle", recipe, run_folder=run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == _EVENTS  # 96 pictures are 6 steps
    assert lines[0]["recipe"] == recipe.model_dump(mode="json")
    assert [line["epoch"] for line in lines[1:3]] == [pytest.approx(4 / 6), 1]
    assert lines[3]["val_images"] == 24


def test_a_finished_run_explains_itself_and_keeps_no_checkpoints(parts, tmp_path):
    run = tmp_path / "x.run"
    _quick(parts, tmp_path / "x.bundle", run_folder=run)
    names = {path.name for path in run.iterdir()}
    assert names == {"README.md", "recipe.yaml", "run.json", "metrics.jsonl"}
    assert "has ended well" in (run / "README.md").read_text()
    assert read_recipe_file(run / "recipe.yaml") == _recipe(**{"loop.epochs": 1})


def test_a_folder_of_something_else_is_never_removed(parts, tmp_path):
    run = tmp_path / "x.run"
    run.mkdir()
    (run / "thesis.txt").write_text("important")
    with pytest.raises(SettingError, match="is no run of residua"):
        _quick(parts, tmp_path / "x.bundle", run_folder=run)
    assert [path.read_text() for path in run.iterdir()] == ["important"]


def test_the_bundle_has_the_best_weights_and_their_figures(parts, tmp_path):
    recipe = _recipe(**{"loop.epochs": 5, "optimiser.lr": 0.4, "schedule.curve": "constant"})
    for run in (None, tmp_path / "x.run"):
        trained = train(recipe, parts, output=tmp_path / "x.bundle", overwrite=True, run_folder=run)
        values = [(r.metrics.top1, -r.metrics.loss) for r in trained.epochs]
        assert trained.epoch == values.index(max(values)) + 1
        best = trained.epochs[trained.epoch - 1].metrics
        assert trained.metrics == best
        view = EvaluationView(parts.validation, trained.bundle.manifest.preprocess)
        again = evaluate(open_engine(trained.bundle).run, view).metrics
        assert again.top1 == best.top1


def test_early_stopping_counts_validations_without_a_better_one(parts, tmp_path):
    recipe = _recipe(**{"loop.epochs": 40, "loop.patience": 2, "optimiser.lr": 1e-9})
    trained = train(recipe, parts, output=tmp_path / "x.bundle")
    best = max(range(len(trained.epochs)), key=lambda i: (
        trained.epochs[i].metrics.top1, -trained.epochs[i].metrics.loss
    ))  # fmt: skip
    assert len(trained.epochs) == best + 3 < 40


def test_a_full_disk_is_said_and_ends_nothing(parts, tmp_path, monkeypatch):
    said = []
    display = Display(quiet=True)
    monkeypatch.setattr(display, "say", said.append)
    monkeypatch.setattr(checkpoint, "save_file", _refuse)
    trained = _quick(parts, tmp_path / "x.bundle", run_folder=tmp_path / "x.run", display=display)
    assert trained.bundle.path.is_dir()
    assert any("the disk is full" in line for line in said)


def _refuse(*_):
    raise OSError(28, os.strerror(28))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_leaves_nothing_and_harms_nothing(parts, tmp_path, monkeypatch, error):
    output = tmp_path / "x.bundle"

    def interrupt(_validation):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "run", interrupt)
        with pytest.raises(error):
            _quick(parts, output)
    assert list(tmp_path.iterdir()) == []
    before = _quick(parts, output).bundle.manifest
    monkeypatch.setattr(Validation, "run", interrupt)
    with pytest.raises(error):
        _quick(parts, output, overwrite=True)
    assert read_bundle(output).manifest == before
    read_bundle(output).verify()


def test_an_existing_bundle_is_refused_before_any_work(parts, tmp_path):
    output = tmp_path / "x.bundle"
    _quick(parts, output)
    with pytest.raises(SettingError, match="exists already"):
        _quick(parts, output)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingError, match="is no bundle"):
        _quick(parts, tmp_path / "folder", overwrite=True)


def test_divergence_is_told_with_what_to_do(parts, tmp_path):
    with pytest.raises(TrainingError, match="diverged") as caught:
        _quick(parts, tmp_path / "x.bundle", _recipe(**{"optimiser.lr": 1e30}))
    assert "e+29" in caught.value.next_step
    assert not (tmp_path / "x.bundle").exists()


def test_unreadable_pictures_are_replaced_and_told(tmp_path):
    root = write_shapes(tmp_path / "shapes", count=10)
    (root / "disc" / "003.png").write_bytes(b"no picture")
    source = read_folder(root)
    clean = read_folder(write_shapes(tmp_path / "clean", count=2))
    trained = _quick(Parts(source, clean), tmp_path / "x.bundle")
    (note,) = (note for note in trained.notes if "cannot be read" in note)
    assert note.startswith("1 of 30 pictures")
    assert "disc/003.png" in note
    assert trained.bundle.manifest.provenance.notes == trained.notes


def test_one_picture_is_too_few(tmp_path):
    root = write_shapes(tmp_path / "shapes", count=1)
    source = read_folder(root).take(np.array([0]), "one")
    with pytest.raises(DataError, match="two at least"):
        _quick(Parts(source, source), tmp_path / "x.bundle")


def test_one_class_teaches_nothing(tmp_path):
    shapes = write_shapes(tmp_path / "shapes", count=3)
    for name in ("frame", "stripe"):
        (shapes / name).rename(tmp_path / name)
    discs = read_folder(shapes)
    with pytest.raises(DataError, match="one class only: 'disc'"):
        _quick(Parts(discs, discs), tmp_path / "x.bundle")


def test_mixup_and_smoothing_learn_too(parts, tmp_path):
    recipe = _recipe(**{"augment.mix.mixup": 0.2, "loss.label_smoothing": 0.1, "loop.epochs": 8})
    trained = train(recipe, parts, output=tmp_path / "x.bundle")
    assert trained.metrics.top1 > 0.9


@pytest.mark.slow
def test_pretrained_weights_learn_flowers(shared_data, tmp_path):
    """A third of the flowers, one epoch at 96 pixels; guessing gives a quarter."""
    from making_recipes import fine_tune

    parts = open_parts(shared_data / "flowers5", DataPart(val_fraction=0.2, split_seed=0))
    some = parts.training.take(np.arange(0, len(parts.training), 3), "flowers")
    held_out = parts.validation.take(np.arange(0, len(parts.validation), 3), "held out")
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    recipe = fine_tune(str(weights), epochs=1, batch_size=32, image_size=96)
    trained = train(recipe, Parts(some, held_out), output=tmp_path / "flowers.bundle")
    assert trained.metrics.top1 > 0.6
    assert "new head for 5 classes" in trained.notes[0]  # only daisy is known
