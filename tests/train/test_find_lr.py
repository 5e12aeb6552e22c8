"""The range test finds a rate on curves whose answer is known, and touches nothing."""

import numpy as np
import pytest
import torch

from data.shapes import write_shapes
from making_recipes import from_scratch
from residua.base.errors import SettingError
from residua.data.settings import DataPart
from residua.data.sources.parts import open_parts
from residua.train.display import Display
from residua.train.plan.find_lr import suggest, try_rates
from residua.train.recipe.file import change
from residua.train.run import train

_TINY = {
    "model.widths": (8, 8, 16, 16), "model.stem_width": 8, "augment.crop.scale": (0.7, 1.0),
    "average.kind": "ema",
}  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = write_shapes(tmp_path_factory.mktemp("rates") / "shapes", count=12)
    return open_parts(folder, DataPart(val_fraction=0.2, split_seed=0))


def _recipe():
    return change(from_scratch("ResNet18_vd", epochs=1, batch_size=8, image_size=24), _TINY)


def test_the_suggestion_is_half_way_down_the_fall():
    rates = list(np.geomspace(1e-6, 10, 71))
    falling = [2.0] * 20 + list(np.linspace(2.0, 0.5, 41)) + list(np.linspace(1, 9, 10))
    place = rates.index(suggest(rates, falling))
    assert 38 <= place <= 42  # the fall is from 20 to 60


def test_a_loss_that_never_falls_is_an_error():
    with pytest.raises(SettingError, match="did not fall"):
        suggest([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])


def test_a_training_after_the_test_is_the_training_without_it(parts, tmp_path):
    random = torch.get_rng_state()
    without = train(_recipe(), parts, output=tmp_path / "a.bundle").bundle.tensors()
    torch.set_rng_state(random)
    found = try_rates(_recipe(), parts, device="cpu", display=Display(quiet=True))
    assert 1e-6 <= found.suggestion <= 10
    assert len(found.rates) == len(found.losses) > 10
    assert torch.equal(torch.get_rng_state(), random)
    after = train(_recipe(), parts, output=tmp_path / "b.bundle").bundle.tensors()
    assert all(np.array_equal(without[name], after[name]) for name in without)
