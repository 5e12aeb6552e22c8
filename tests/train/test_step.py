"""One update: the same gradients however it is cut up; memory that runs out halves it."""

import numpy as np
import pytest
import torch

from making_recipes import from_scratch
from residua.base.errors import TrainingError
from residua.bundle.classes import numbered_classes
from residua.bundle.schema import Preprocess
from residua.data.source import Source
from residua.evaluate.ranks import Ranks
from residua.train.recipe.file import change
from residua.train.setup import make_computation
from residua.train.update import step as module
from residua.train.update.learner import Supervised
from residua.train.update.losses import make_loss
from residua.train.update.precision import Precision
from residua.train.update.shares import Shares
from residua.train.update.step import run_backward, run_backward_within_memory
from residua.zoo.create import create

_SOURCE = Source(
    title="noise",
    classes=numbered_classes(4),
    names=tuple(str(n) for n in range(12)),
    labels=np.arange(12) % 4,
    read=lambda _: b"",
)


def _computation(micro_batch, **changes):
    network = create(
        "ResNet18", num_classes=4, small_images=True, widths=(16, 16, 16, 16), drop_path=0.3, seed=0
    )
    for module_ in network.modules():  # statistics of the batch depend on how it is cut up
        if isinstance(module_, torch.nn.BatchNorm2d):
            module_.eval()
    values = {
        "augment.mix.mixup": 0.4, "augment.mix.cutmix": 1.0, "augment.erase.kind": "erasing",
        "model.drop_path": 0.3,
    }  # fmt: skip
    recipe = change(from_scratch("ResNet18", epochs=1, image_size=16), values | changes)
    precision = Precision("fp32", torch.device("cpu"), "a test")
    shares = Shares(12, 12, micro_batch)
    preprocess = Preprocess(crop_size=16, short_side=16)
    loss = make_loss(recipe.loss, num_classes=4)
    return make_computation(Supervised(network, loss, precision), recipe, preprocess, shares)


def _batch():
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    return torch.from_numpy(images), torch.from_numpy(_SOURCE.labels), np.arange(12)


def _gradients(computation, run=run_backward):
    result = run(computation, *_batch(), epoch=1, step=3)
    loss = result[0] if isinstance(result, tuple) else result
    parameters = dict(computation.network.named_parameters())
    return loss.item(), {name: parameter.grad for name, parameter in parameters.items()}


@pytest.mark.parametrize("micro_batch", [2, 4, 6])
def test_micro_batches_add_up_to_the_whole(micro_batch):
    loss, whole = _gradients(_computation(0))
    cut_loss, cut = _gradients(_computation(micro_batch))
    assert cut_loss == pytest.approx(loss, rel=1e-5)
    for name, gradient in whole.items():
        torch.testing.assert_close(cut[name], gradient, rtol=1e-4, atol=1e-6)


def test_memory_that_runs_out_halves_the_micro_batch_and_changes_no_gradient(monkeypatch):
    real, tried = module._lose, []

    def lose(computation, images, *rest, **options):
        tried.append(len(images))
        if len(images) > 4:
            raise torch.OutOfMemoryError
        return real(computation, images, *rest, **options)

    _, whole = _gradients(_computation(0))
    monkeypatch.setattr(module, "_lose", lose)
    computation = _computation(0)
    _, halved = _gradients(computation, run_backward_within_memory)
    assert tried[:2] == [12, 6]
    assert max(tried[2:]) <= 4
    for name, gradient in whole.items():
        torch.testing.assert_close(halved[name], gradient, rtol=1e-4, atol=1e-6)


def test_where_it_cannot_be_halved_there_is_an_error(monkeypatch):
    def refuse(*_arguments, **_options):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(module, "_lose", refuse)
    with pytest.raises(TrainingError, match="2 pictures at once") as caught:
        run_backward_within_memory(_computation(0), *_batch(), epoch=0, step=0)
    assert "loop.micro_batch" in caught.value.next_step


def test_with_several_processes_it_is_not_halved_behind_their_backs(monkeypatch):
    def refuse(*_arguments, **_options):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(module, "_lose", refuse)
    computation = _computation(0)
    shares = Shares(24, 24, 0, Ranks(0, 2))
    with pytest.raises(TrainingError, match="12 pictures at once"):
        run_backward_within_memory(
            module.replace(computation, shares=shares), *_batch(), epoch=0, step=0
        )
