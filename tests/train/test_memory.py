"""Trials on a copy: memory that one picture keeps, the micro-batch that fits, the forecast."""

import numpy as np
import pytest
import torch

from data.shapes import write_shapes
from making_recipes import from_scratch
from residua.base.errors import TrainingError
from residua.bundle.schema import Preprocess
from residua.data.sources.folder import read_folder
from residua.data.view import TrainingView
from residua.evaluate.ranks import SINGLE
from residua.train.plan import fit_batch
from residua.train.plan.fit_batch import choose_micro_batch, halve_until_fit
from residua.train.plan.forecast import forecast
from residua.train.plan.trial import Trial, measure_activations, try_step
from residua.train.recipe.tree import LossPart
from residua.train.update.learner import Supervised
from residua.train.update.losses import make_loss
from residua.train.update.precision import Precision
from residua.train.update.shares import Shares
from residua.zoo.create import create

_CPU = Precision("fp32", torch.device("cpu"), "a test")


@pytest.fixture
def network():
    return create("ResNet18_vd", num_classes=3, small_images=True, widths=(8, 8, 16, 16), seed=0)


@pytest.fixture
def learner(network):
    return Supervised(network, make_loss(LossPart(), num_classes=3), _CPU)


def test_what_a_picture_keeps_grows_with_its_area(learner):
    small, large = (measure_activations(learner, size) for size in (32, 64))
    assert large / small == pytest.approx(4, rel=0.05)


def test_the_least_that_a_convolution_must_keep_is_counted(learner):
    # Its input and the input of its normalisation: float32 [8, 32, 32] each, for each of 5
    # convolutions at full resolution, at the very least.
    assert measure_activations(learner, 32) >= 5 * 2 * 8 * 32 * 32 * 4


def test_trials_leave_the_network_alone(network, learner):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure_activations(learner, 32)
    assert try_step(learner, 32, 4).seconds > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(("limit", "expected"), [(1000, 96), (50, 48), (13, 12), (2, 2), (1, 0)])
def test_halves_until_it_fits(limit, expected):
    assert halve_until_fit(96, lambda count: count <= limit) == expected


def test_a_processor_short_of_memory_computes_fewer_at_once(learner, monkeypatch):
    each = measure_activations(learner, 32)
    monkeypatch.setattr(fit_batch, "available_memory", lambda: int(each * 20 / 0.7))
    assert choose_micro_batch(learner, 32, 64, SINGLE) == 16
    monkeypatch.setattr(fit_batch, "available_memory", lambda: each)
    with pytest.raises(TrainingError, match="Not even two"):
        choose_micro_batch(learner, 32, 64, SINGLE)


def test_a_gpu_out_of_memory_is_halved(network, monkeypatch):
    tried = []

    def refuse(_learner, _size, rows, *, repeats):
        tried.append(rows)
        if rows > 20:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(fit_batch, "try_step", refuse)
    gpu = Precision("bf16", torch.device("cuda"), "a test")
    replaced = Supervised(network, make_loss(LossPart(), num_classes=3), gpu)
    assert choose_micro_batch(replaced, 32, 64, SINGLE) == 16
    assert tried == [64, 32, 16]


def test_the_least_of_all_processes_counts(learner):
    class Others:
        world = 3

        @staticmethod
        def gather(value):
            return [value, 6, value]

    assert choose_micro_batch(learner, 32, 64, Others()) == 6


def test_the_forecast_counts_updates_and_grows_with_the_pictures(
    network, learner, tmp_path, monkeypatch
):
    measured = "residua.train.plan.forecast"
    monkeypatch.setattr(f"{measured}.try_step", lambda *given: Trial(given[2], given[2] / 40))
    monkeypatch.setattr(f"{measured}.try_forward", lambda *given: Trial(given[3], given[3] / 200))
    monkeypatch.setattr(f"{measured}._measure_loading", lambda _: 120.0)
    source = read_folder(write_shapes(tmp_path / "shapes", count=10))
    recipe = from_scratch("ResNet18_vd", epochs=4, batch_size=8, image_size=24)
    view = TrainingView(
        source, Preprocess(crop_size=24, short_side=24), recipe.augment, seed=0, repeats=1
    )
    foreseen = forecast(learner, view, recipe, Shares(30, 8), validation=0)
    more = forecast(learner, view, recipe, Shares(3000, 8), validation=0)
    assert (foreseen.epochs, foreseen.steps) == (4, 3)
    each = 1 / 40 + 1 / 120  # seconds: a processor computes and reads by turns
    assert foreseen.seconds == pytest.approx(4 * 3 * 8 * each)
    assert more.seconds == pytest.approx(4 * 375 * 8 * each)
    tested = forecast(learner, view, recipe, Shares(30, 8), validation=3000)
    assert tested.seconds == pytest.approx(foreseen.seconds + 4 * 3000 / 200)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert foreseen.memory > 12 * weights
    assert "4 epochs of 3 updates" in foreseen.spell()
    assert np.isfinite(foreseen.computing)
