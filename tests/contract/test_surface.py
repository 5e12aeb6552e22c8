"""The public surface is written down; a change of it is a decision, not an accident."""

import inspect
import json
from pathlib import Path

import residua

STORED = Path(__file__).with_name("surface.json")


def describe(thing):
    if inspect.isclass(thing):
        members = sorted(name for name in vars(thing) if not name.startswith("_"))
        fields = sorted(getattr(thing, "__annotations__", {}))
        return sorted({*members, *(name for name in fields if not name.startswith("_"))})
    if callable(thing):
        return list(inspect.signature(thing).parameters)
    return []


def test_the_public_surface_is_the_stored_one():
    surface = {name: describe(getattr(residua, name)) for name in residua.__all__}
    assert surface == json.loads(STORED.read_text(encoding="utf-8"))


def test_every_public_name_is_listed_and_documented():
    assert set(residua.__all__) == set(dir(residua))
    for name in residua.__all__:
        if name != "__version__":
            assert getattr(residua, name).__doc__
