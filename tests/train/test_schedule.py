"""Learning-rate curves against torch's schedulers and against values by hand."""

import pytest
import torch

from residua.train.recipe import SchedulePart
from residua.train.schedule import rate_factor


def _torch_curve(make, epochs):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimiser)
    rates = []
    for _ in range(epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def test_cosine_is_that_of_torch():
    expected = _torch_curve(
        lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 90, eta_min=0.1), 90
    )
    part = SchedulePart(final=0.1)
    assert [rate_factor(part, epoch, 90) for epoch in range(90)] == pytest.approx(expected)


def test_piecewise_is_that_of_torch():
    expected = _torch_curve(
        lambda optimiser: torch.optim.lr_scheduler.MultiStepLR(optimiser, [30, 60, 90]), 120
    )
    part = SchedulePart(curve="multistep", milestones=(30, 60, 90))
    assert [rate_factor(part, epoch, 120) for epoch in range(120)] == pytest.approx(expected)


def test_the_warm_up_is_a_line_from_zero():
    part = SchedulePart(warmup_epochs=5)
    assert [rate_factor(part, epoch, 100) for epoch in (0, 1, 2.5, 5)] == [0, 0.2, 0.5, 1]


def test_the_cosine_spans_what_the_warm_up_leaves():
    part = SchedulePart(warmup_epochs=5, final=0.2)
    assert rate_factor(part, 5 + 95 / 2, 100) == pytest.approx(0.6)
    assert rate_factor(part, 100, 100) == pytest.approx(0.2)
    assert rate_factor(part, 101, 100) == pytest.approx(0.2)


def test_a_warm_up_as_long_as_the_run():
    part = SchedulePart(warmup_epochs=1)
    assert rate_factor(part, 0.5, 1) == 0.5
    assert rate_factor(part, 1, 1) == 0
