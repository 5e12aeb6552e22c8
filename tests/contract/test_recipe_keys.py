"""The page of recipe keys is what the typed tree says, and says something of every key."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from residua.base.errors import UnknownNameError
from residua.cli.recipe import app
from residua.train.recipe.file import list_keys
from residua.train.recipe.keys import describe_keys, describe_parts, write_page
from residua.train.recipe.tree import Recipe

PAGE = Path(__file__).parents[2] / "docs" / "recipe-keys.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == write_page(), (
        "run: residua recipe keys --markdown > docs/recipe-keys.md"
    )


def test_every_key_is_there_and_explained():
    described = describe_keys()
    assert sorted(key.key for key in described) == sorted(list_keys())
    assert [key.key for key in described if len(key.meaning) < 10] == []
    assert all(describe_parts().values())


def test_types_and_defaults_by_hand():
    keys = {key.key: key for key in describe_keys()}
    expected = {
        "loop.epochs": ("whole number > 0", "required"),
        "optimiser.lr": ("number > 0", "required"),
        "optimiser.betas": ("[number ≥ 0 and < 1, number ≥ 0 and < 1]", "[0.9, 0.999]"),
        "optimiser.lr_multipliers": ("names with: number ≥ 0", "{}"),
        "model.stem_width": ("whole number > 0, or null", "null"),
        "data.split_seed": ("whole number ≥ 0 and < 4294967296", "0"),
        "schedule.per": ("`step` or `epoch`", '"step"'),
        "loss.class_weights": ("`none` or `balanced` or `ratio`, or list of: number ≥ 0", '"none"'),
        "augment.progressive": ("part", "null"),
        "augment.progressive.end_size": ("whole number > 0", "required"),
    }
    assert {name: (keys[name].kind, keys[name].default) for name in expected} == expected


def test_defaults_are_those_that_a_recipe_gets():
    whole = Recipe(optimiser={"lr": 0.1}, loop={"epochs": 1}).model_dump(mode="json")
    for key in describe_keys():
        if key.default == "required" or key.key.startswith("augment.progressive."):
            continue
        value = whole
        for name in key.key.split("."):
            value = value[name]
        assert json.loads(key.default) == value, key.key


def test_the_command_prints_some_or_all():
    def run(*words):
        result = CliRunner().invoke(app, ["keys", *words])
        if isinstance(result.exception, Exception):
            raise result.exception
        return result.stdout

    assert run("crop.padding").splitlines()[0] == (
        "augment.crop.padding: whole number > 0; default 4"
    )
    assert len(json.loads(run("--json"))) == len(list_keys())
    assert run("--markdown") == PAGE.read_text(encoding="utf-8")
    with pytest.raises(UnknownNameError, match="Nearest"):
        run("optimiser.lrr")
