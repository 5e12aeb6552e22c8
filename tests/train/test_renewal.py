"""Statistics computed anew are those of torch's ``update_bn``; nothing else is touched."""

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import update_bn

from data.shapes import write_shapes
from making_recipes import from_scratch
from residua.data.order import epoch_order
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts
from residua.data.view import TrainingView
from residua.train import loop
from residua.train.recipe.file import change
from residua.train.run import train
from residua.train.setup import make_computation, make_lesson
from residua.train.start import start
from residua.train.update import renewal
from residua.train.update.learner import learn_from_labels
from residua.train.update.precision import Precision
from residua.train.update.renewal import renew_statistics
from residua.train.update.shares import Shares
from residua.zoo.create import create


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("renewal") / "shapes", count=14)


def _recipe(**changes):
    recipe = from_scratch("ResNet18", epochs=4, batch_size=10, image_size=16)
    values = {"model.widths": (8, 8, 8, 8), "model.stem_width": 8, "augment.mix.mixup": 0.2}
    return change(recipe, values | changes)


def _computation(folder, recipe):
    source = read_folder(folder)
    begun = start(recipe, source.classes)
    view = TrainingView(source, begun.preprocess, recipe.augment, seed=recipe.loop.seed)
    precision = Precision("fp32", torch.device("cpu"), "a test")
    shares = Shares(len(source), 10, 0)
    learner = learn_from_labels(make_lesson(begun, recipe, source, precision))
    return make_computation(learner, recipe, begun.preprocess, shares), view


def _pictures(computation, view, epoch):
    """The first 40 crops of the epoch by the view itself, in batches of 10."""
    order = epoch_order(len(view.source), seed=computation.seed, epoch=epoch)[:40]
    crops = np.empty((40, *view.shape_at(epoch)), np.uint8)
    for crop, ticket in zip(crops, order, strict=True):
        view.fill(epoch, int(ticket), crop)
    return computation.normalize(torch.from_numpy(crops)).split(10)


@pytest.mark.parametrize("freeze", ["", "stage1"])
def test_they_are_those_of_torch(folder, monkeypatch, freeze):
    """42 pictures: what is left of four batches of ten is not looked at."""
    monkeypatch.setattr(renewal, "_PICTURES", 44)
    computation, view = _computation(folder, _recipe(**{"model.freeze": freeze}))
    network = computation.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    renew_statistics(computation, view, epoch=3)
    found = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert not any(module.training for module in network.modules())
    network.load_state_dict(before)
    update_bn(_pictures(computation, view, 3), network.train())
    moved = 0
    for name, expected in network.state_dict().items():
        if freeze and name.startswith(("stem.", "stages.0.")):
            assert torch.equal(found[name], before[name]), name
        elif "running" in name:
            torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-5)
            moved += not torch.equal(found[name], before[name])
        else:
            assert torch.equal(found[name], before[name]), name
    assert moved >= 26
    assert {m.momentum for m in network.modules() if hasattr(m, "momentum")} == {0.1}


def test_no_branch_is_dropped(folder):
    computation, view = _computation(folder, _recipe(**{"model.drop_path": 0.5}))
    renew_statistics(computation, view, epoch=0)
    found = computation.network.state_dict()["stages.3.1.conv1.norm.running_mean"].clone()
    torch.manual_seed(1)
    renew_statistics(computation, view, epoch=0)
    assert torch.equal(
        computation.network.state_dict()["stages.3.1.conv1.norm.running_mean"], found
    )


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_uniform_average_is_validated_and_written_with_them(folder, tmp_path, monkeypatch, keep):
    parts = open_parts(folder, DataPart(val_fraction=0.2))
    renewed = []
    real = renew_statistics

    def note(computation, view, **options):
        real(computation, view, **options)
        renewed.append(computation.network.state_dict()["stem.0.norm.running_var"].numpy().copy())

    monkeypatch.setattr(loop, "renew_statistics", note)
    settings = {"average.kind": "uniform", "average.start_epoch": 2, "evaluate.keep": keep}
    trained = train(_recipe(**settings), parts, output=tmp_path / "x.bundle")
    assert len(renewed) == 3  # after the epochs 2, 3 and 4
    written = trained.bundle.tensors()["stem.0.norm.running_var"]
    if trained.epoch > 1:
        np.testing.assert_array_equal(written, renewed[trained.epoch - 2])
    assert trained.metrics == trained.epochs[trained.epoch - 1].metrics


def test_an_exponential_average_needs_none(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "renew_statistics", None)
    parts = open_parts(folder, DataPart(val_fraction=0.2))
    recipe = _recipe(**{"average.kind": "ema", "loop.epochs": 1})
    train(recipe, parts, output=tmp_path / "x.bundle")


def test_torch_itself_has_the_momentum_that_is_kept():
    assert create("ResNet18", num_classes=2, seed=0).stem[0].norm.momentum == 0.1
