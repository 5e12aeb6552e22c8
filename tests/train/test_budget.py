"""A budget plans as many epochs as fit and begins none that would not."""

import pytest

from making_recipes import from_scratch
from residua.base.errors import SettingError
from residua.train.plan import budget as module
from residua.train.plan.budget import Budget, read_minutes


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("20min", 20), ("90s", 1.5), ("1.5h", 90), ("20", 20), (" 2 h ", 120), ("", None)],
)
def test_lengths_of_time(text, minutes):
    assert read_minutes(text) == (None if minutes is None else pytest.approx(minutes))


@pytest.mark.parametrize("text", ["soon", "-3min", "0", "5 fortnights"])
def test_what_is_no_length_of_time(text):
    with pytest.raises(SettingError, match="no length of time"):
        read_minutes(text)


def test_epochs_are_planned_to_fit():
    recipe = from_scratch("ResNet18", epochs=90)
    assert Budget(0).plan(recipe, 60) == recipe
    assert Budget(1000).plan(recipe, 60) == recipe
    planned = Budget(20).plan(recipe, 60)
    assert planned.loop.epochs == 18
    assert planned.schedule.warmup_epochs == 1.8
    assert Budget(20).plan(recipe, 1200).loop.epochs == 1  # all of it, without the tenth held back
    assert Budget(20).plan(recipe, 2400).loop.epochs == 1  # the forecast may be wrong


def test_less_than_an_epoch_is_refused_with_what_would_do():
    recipe = from_scratch("ResNet18", epochs=90)
    with pytest.raises(SettingError, match="less than one epoch takes here") as caught:
        Budget(20).plan(recipe, 3600)
    assert "20 min 0 s is less than" in caught.value.problem
    assert "about 1 h 0 min" in caught.value.problem
    assert "--budget 67min" in caught.value.next_step
    assert Budget(67).plan(recipe, 3600).loop.epochs == 1


def test_no_epoch_is_begun_that_would_not_end(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    budget = Budget(1)
    spent = []
    for seconds in (20, 15, 20):
        now[0] += seconds
        spent.append(budget.is_spent())
    assert spent == [False, False, True]  # 40 s, 50 s, 75 s foreseen of 60
    assert not Budget(0).is_spent()
