"""A teacher of coloured shapes, and what students of it need."""

import pytest

from data.shapes import write_shapes
from making_recipes import from_scratch
from residua.data.settings import DataPart
from residua.data.sources.parts import open_parts
from residua.train.recipe.file import change
from residua.train.run import train


def make_recipe(model="ResNet18", widths=(8, 8, 8, 8), **changes):
    recipe = from_scratch(model, epochs=2, batch_size=16, image_size=24)
    values = {
        "model.widths": widths, "model.stem_width": 8, "optimiser.lr": 0.1,
        "augment.crop.scale": (0.7, 1.0), "schedule.warmup_epochs": 0.2,
        "precision.compute": "fp32", "evaluate.keep": "last",
    }  # fmt: skip
    return change(recipe, values | changes)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("shapes") / "shapes", count=30)


@pytest.fixture(scope="session")
def parts(shapes):
    return open_parts(shapes, DataPart(val_fraction=0.3, split_seed=0))


@pytest.fixture(scope="session")
def teacher(parts, tmp_path_factory):
    """A bundle that knows its shapes."""
    recipe = make_recipe("ResNet18_vd", (8, 8, 16, 16), **{"loop.epochs": 6})
    output = tmp_path_factory.mktemp("teacher") / "teacher.bundle"
    trained = train(recipe, parts, output=output)
    assert trained.metrics.top1 > 0.9
    return trained.bundle


@pytest.fixture(scope="session")
def more(tmp_path_factory):
    """More shapes, of which nobody says what they are."""
    return write_shapes(tmp_path_factory.mktemp("more") / "more", count=20, seed=5000)
