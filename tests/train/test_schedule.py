"""Learning-rate curves against torch's schedulers, step by step, and against values by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from residua.train.recipe.descent import OptimiserPart, SchedulePart
from residua.train.update.optimiser import make_optimiser, set_momentum
from residua.train.update.schedule import count_drops, momentum_at, rate_factor
from residua.zoo.create import create


def torch_curve(make, steps):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        with warnings.catch_warnings():  # SequentialLR calls what torch itself has deprecated
            warnings.simplefilter("ignore", UserWarning)
            scheduler.step()
    return rates


def our_curve(part, steps, epochs):
    return [rate_factor(part, step, epochs) for step in range(steps)]


@pytest.mark.parametrize(
    ("part", "make"),
    [
        (SchedulePart(final=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, 90, eta_min=0.1)),
        (
            SchedulePart(curve="multistep", milestones=(30, 60, 80)),
            lambda o: lr_scheduler.MultiStepLR(o, [30, 60, 80]),
        ),
        (
            SchedulePart(curve="step", step_epochs=20, gamma=0.5),
            lambda o: lr_scheduler.StepLR(o, 20, gamma=0.5),
        ),
        (
            SchedulePart(curve="polynomial", power=2.5),
            lambda o: lr_scheduler.PolynomialLR(o, 90, power=2.5),
        ),
        (SchedulePart(curve="constant"), lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0)),
        (
            SchedulePart(curve="cyclic", cycle_epochs=(7, 12), final=0.2),
            lambda o: lr_scheduler.CyclicLR(o, 0.2, 1.0, 7, 12, cycle_momentum=False),
        ),
        (
            SchedulePart(curve="cyclic", cycle_epochs=(9, 9), cycle_fall="steps", gamma=0.5),
            lambda o: lr_scheduler.CyclicLR(
                o, 0.0, 1.0, 9, mode="triangular2", cycle_momentum=False
            ),
        ),
        (
            SchedulePart(curve="cyclic", cycle_epochs=(9, 6), cycle_fall="smooth", gamma=0.97**15),
            lambda o: lr_scheduler.CyclicLR(
                o, 0.0, 1.0, 9, 6, mode="exp_range", gamma=0.97, cycle_momentum=False
            ),
        ),
        # torch's cycle of T steps has its top at pct_start T - 1 and its end at T - 1.
        (
            SchedulePart(curve="one-cycle", warmup_epochs=29, warmup_start=0.04, final=0.0004),
            lambda o: lr_scheduler.OneCycleLR(
                o, 1.0, total_steps=91, pct_start=30 / 91, div_factor=25, final_div_factor=100
            ),
        ),
    ],
    ids=lambda given: given.curve if isinstance(given, SchedulePart) else "",
)
def test_curves_are_those_of_torch(part, make):
    assert our_curve(part, 90, 90) == pytest.approx(torch_curve(make, 90), abs=1e-12)


@pytest.mark.parametrize("name", ["sgd", "adamw", "adam", "rmsprop", "lamb", "lion", "muon"])
def test_the_cycle_of_the_momentum_is_that_of_torch(name):
    part = SchedulePart(curve="one-cycle", warmup_epochs=29, momentum=(0.85, 0.95))
    network = create("ResNet18", widths=(4, 4, 4, 4), num_classes=2, small_images=True, seed=0)
    optimiser = make_optimiser(network, OptimiserPart(name=name, lr=0.1))
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(theirs, 0.1, total_steps=91, pct_start=30 / 91)
    for step in range(90):
        set_momentum(optimiser, momentum_at(part, step, 90))
        expected = pytest.approx(theirs.param_groups[0]["momentum"], abs=1e-12)
        for group in optimiser.param_groups:
            turned = name in {"sgd", "rmsprop"} or group.get("matrices")
            assert (group["momentum"] if turned else group["betas"][0]) == expected
        theirs.step()
        scheduler.step()
    assert momentum_at(part, 90, 90) == pytest.approx(0.95)


def test_without_a_cycle_the_momentum_stays():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.8)
    set_momentum(optimiser, momentum_at(SchedulePart(curve="one-cycle"), 3, 9))
    assert optimiser.param_groups[0]["momentum"] == 0.8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"curve": "cosine", "momentum": (0.85, 0.95)}, "belongs to the curve one-cycle"),
        ({"curve": "one-cycle", "momentum": (0.95, 0.85)}, "lowest, highest"),
        ({"curve": "multistep"}, "multistep needs milestones"),
        ({"curve": "multistep", "milestones": (3, 6), "factors": (0.5,)}, "factors are 1 for 2"),
    ],
)
def test_senseless_schedules_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        SchedulePart(**values)


def test_the_warm_up_is_that_of_torch():
    def make(optimiser):
        rise = lr_scheduler.LinearLR(optimiser, start_factor=0.2, total_iters=10)
        fall = lr_scheduler.CosineAnnealingLR(optimiser, 80)
        return lr_scheduler.SequentialLR(optimiser, [rise, fall], [10])

    part = SchedulePart(warmup_epochs=10, warmup_start=0.2)
    assert our_curve(part, 90, 90) == pytest.approx(torch_curve(make, 90))


def test_the_warm_up_is_a_line_from_zero():
    part = SchedulePart(warmup_epochs=5)
    assert [rate_factor(part, epoch, 100) for epoch in (0, 1, 2.5, 5)] == [0, 0.2, 0.5, 1]


@pytest.mark.parametrize("curve", ["cosine", "step", "multistep", "polynomial", "constant"])
def test_all_but_one_cycle_warm_up_along_a_line(curve):
    part = SchedulePart(curve=curve, warmup_epochs=4, warmup_start=0.5, milestones=(2,))
    assert [rate_factor(part, epoch, 20) for epoch in (0, 1, 3)] == [0.5, 0.625, 0.875]


def test_the_curve_spans_what_the_warm_up_leaves():
    part = SchedulePart(warmup_epochs=5, final=0.2)
    assert rate_factor(part, 5 + 95 / 2, 100) == pytest.approx(0.6)
    assert rate_factor(part, 100, 100) == pytest.approx(0.2)
    assert rate_factor(part, 101, 100) == pytest.approx(0.2)
    line = SchedulePart(curve="polynomial", warmup_epochs=2, final=0.2)
    assert [rate_factor(line, epoch, 10) for epoch in (2, 4, 10, 11)] == pytest.approx(
        [1, 0.8, 0.2, 0.2]
    )


def test_steps_and_milestones_count_from_the_start():
    step = SchedulePart(curve="step", step_epochs=2.5, warmup_epochs=2)
    assert [rate_factor(step, epoch, 9) for epoch in (2.4, 2.5, 5)] == pytest.approx([1, 0.1, 0.01])
    multi = SchedulePart(curve="multistep", milestones=(3, 6), warmup_epochs=2)
    assert [rate_factor(multi, e, 9) for e in (2, 2.99, 3, 6)] == pytest.approx([1, 1, 0.1, 0.01])


def test_an_epoch_may_have_one_rate():
    part = SchedulePart(per="epoch", warmup_epochs=2, warmup_start=0.5)
    whole = part.model_copy(update={"per": "step"})
    for epoch in np.linspace(0, 10, 41):
        assert rate_factor(part, epoch, 10) == rate_factor(whole, math.floor(epoch), 10)


def test_a_warm_up_as_long_as_the_run():
    part = SchedulePart(warmup_epochs=1)
    assert rate_factor(part, 0.5, 1) == 0.5
    assert rate_factor(part, 1, 1) == 0


@pytest.mark.parametrize("higher_is_better", [False, True])
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_the_plateau_is_that_of_torch(patience, higher_is_better):
    """torch's patience is one less: it falls at the first bad value beyond it."""
    generator = np.random.default_rng(patience)
    values = np.cumsum(generator.normal(0.02, 1, 80)).round(1).tolist()
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimiser, "max" if higher_is_better else "min", factor=0.5, patience=patience - 1,
        threshold=0, eps=0,
    )  # fmt: skip
    part = SchedulePart(curve="plateau", gamma=0.5, patience=patience)
    for count, value in enumerate(values, start=1):
        scheduler.step(value)
        drops = count_drops(values[:count], patience, higher_is_better=higher_is_better)
        assert rate_factor(part, count, 80, drops=drops) == optimiser.param_groups[0]["lr"]
    assert drops >= 3


def test_drops_by_hand():
    values = [0.5, 0.6, 0.6, 0.6, 0.7, math.nan, 0.1]
    counts = [count_drops(values[:n], 2, higher_is_better=True) for n in range(8)]
    assert counts == [0, 0, 0, 0, 1, 1, 1, 2]
    part = SchedulePart(curve="plateau", warmup_epochs=2)
    assert [rate_factor(part, epoch, 9, drops=2) for epoch in (1, 2)] == pytest.approx([0.5, 0.01])
