"""Rates over the epochs against the formulas of Paddle's schedulers, written out."""

import math

import pytest

from paddle_configurations import plain, write
from residua.base.errors import SettingError
from residua.compat.config.read import read_configuration
from residua.compat.translate.whole import translate
from residua.train.update.schedule import rate_factor

EPOCHS = 120


def rates(tmp_path, lr, *, epochs=EPOCHS):
    content = plain("ResNet18")
    content["Optimizer"]["lr"] = lr
    content["Global"]["epochs"] = epochs
    configuration = read_configuration(write(tmp_path, content))
    recipe = translate(configuration, cards=4).recipe
    found = [
        recipe.optimiser.lr * rate_factor(recipe.schedule, epoch / 4, epochs)
        for epoch in range(4 * epochs)
    ]
    return found, configuration.findings.notes


def cosine(epoch, warmup=0.0, low=0.0, start=0.0, peak=0.1):
    """LinearWarmup, then CosineAnnealingDecay over what is left."""
    if epoch < warmup:
        return start + (peak - start) * epoch / warmup
    done = (epoch - warmup) / (EPOCHS - warmup)
    return low + (peak - low) * (1 + math.cos(math.pi * done)) / 2


def falling(epoch, falls, factor, warmup=0.0, peak=0.1):
    """LinearWarmup, whose inner scheduler counts from the end of it."""
    if epoch < warmup:
        return peak * epoch / warmup
    return peak * factor ** sum(epoch - warmup >= fall for fall in falls)


def linear(epoch, low, power):
    return (0.1 - low) * (1 - epoch / EPOCHS) ** power + low


def one_cycle(epoch, peak=0.1, share=0.3, low=0.1 / 25, end=1e-10):
    def anneal(first, last, done):
        return last + (first - last) / 2 * (1 + math.cos(math.pi * done))

    rise = share * EPOCHS
    if epoch < rise:
        return anneal(low, peak, epoch / rise)
    return anneal(peak, end, (epoch - rise) / (EPOCHS - rise))


CASES = [
    ({"name": "Cosine", "learning_rate": 0.1}, cosine),
    (
        {"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 5, "warmup_start_lr": 0.01,
         "eta_min": 0.001},
        lambda epoch: cosine(epoch, 5, 0.001, 0.01),
    ),
    (
        {"name": "Step", "learning_rate": 0.1, "step_size": 25, "gamma": 0.5},
        lambda epoch: falling(epoch, [25, 50, 75, 100], 0.5),
    ),
    (
        {"name": "Step", "learning_rate": 0.1, "step_size": 25, "gamma": 0.5, "warmup_epoch": 4},
        lambda epoch: falling(epoch, [25, 50, 75, 100], 0.5, 4),
    ),
    (
        {"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [30, 60], "gamma": 0.2},
        lambda epoch: falling(epoch, [30, 60], 0.2),
    ),
    (
        {"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [30, 60], "warmup_epoch": 2},
        lambda epoch: falling(epoch, [30, 60], 0.1, 2),
    ),
    (
        {"name": "Piecewise", "decay_epochs": [20, 90], "values": [0.1, 0.02, 0.004]},
        lambda epoch: falling(epoch, [20, 90], 0.2),
    ),
    (
        {"name": "Piecewise", "learning_rate": 0.1, "warmup_epoch": 5},
        lambda epoch: falling(epoch, [30, 60, 90], 0.1, 5),
    ),
    (
        {"name": "Piecewise", "decay_epochs": [20, 60, 90], "values": [0.1, 0.02, 0.03, 0.0]},
        lambda epoch: (0.1, 0.02, 0.03, 0.0)[sum(epoch >= fall for fall in (20, 60, 90))],
    ),
    (
        {"name": "CosineFixmatch", "learning_rate": 0.1, "num_warmup_steps": 0},
        lambda epoch: 0.1 * max(0, math.cos(math.pi * 7 / 16 * epoch / EPOCHS)),
    ),
    (
        {"name": "Linear", "learning_rate": 0.1, "end_lr": 0.002, "power": 2.0},
        lambda epoch: linear(epoch, 0.002, 2.0),
    ),
    ({"name": "ConstLR", "learning_rate": 0.1}, lambda _: 0.1),
    ({"learning_rate": 0.1}, lambda _: 0.1),
    ({"name": "OneCycleLR", "max_learning_rate": 0.1}, one_cycle),
]  # fmt: skip


@pytest.mark.parametrize(("lr", "formula"), CASES)
def test_rates(tmp_path, lr, formula):
    found, _ = rates(tmp_path, lr)
    wanted = [formula(place / 4) for place in range(4 * EPOCHS)]
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_boundaries_stay_where_they_were_written(tmp_path):
    lr = {
        "name": "Piecewise", "learning_rate": 0.05, "decay_epochs": [10, 40],
        "values": [0.1, 0.01, 0.001],
    }  # fmt: skip
    found, notes = rates(tmp_path, lr)
    wanted = [falling(place / 4, [10, 40], 0.1, peak=0.05) for place in range(4 * EPOCHS)]
    assert found == pytest.approx(wanted)
    (note,) = [note for note in notes if "drop_last" not in note]
    assert "10, 40; PaddleClas" in note
    assert "falls to a tenth at 30, 60, 90" in note


def test_rates_of_the_command_line_have_the_last_word(tmp_path):
    path = write(tmp_path, plain("ResNet18"))
    values = "Optimizer.lr.values=[0.05,0.005,0.0005,0.00005]"
    configuration = read_configuration(path, [values])
    assert translate(configuration, cards=4).recipe.optimiser.lr == 0.05
    assert any("learning_rate yields" in note for note in configuration.findings.notes)
    both = read_configuration(path, [values, "Optimizer.lr.learning_rate=0.2"])
    assert translate(both, cards=4).recipe.optimiser.lr == 0.2


def cyclic(step, rise, fall, shrink):
    """CyclicLR of Paddle, as its source computes it."""
    total = rise + fall
    cycle = 1 + step // total
    done = 1 + step / total - cycle
    share = done / (rise / total) if done <= rise / total else (1 - done) / (1 - rise / total)
    return 0.1 + (0.4 - 0.1) * max(0, share) * shrink(cycle, step)


@pytest.mark.parametrize(
    ("more", "shrink"),
    [
        ({}, lambda cycle, step: 1),
        ({"mode": "triangular2"}, lambda cycle, step: 1 / 2 ** (cycle - 1)),
        ({"mode": "exp_range", "exp_gamma": 0.99}, lambda cycle, step: 0.99**step),
    ],
)
@pytest.mark.parametrize("by_epoch", [False, True])
def test_cycles(tmp_path, more, shrink, by_epoch):
    listing = tmp_path / "train.txt"
    listing.write_text("picture.jpg 0\n" * 1024)  # four updates of 4 cards with 64 pictures each
    content = plain("ResNet18")
    content["DataLoader"]["Train"]["dataset"]["cls_label_path"] = str(listing)
    content["DataLoader"]["Train"]["sampler"]["batch_size"] = 64
    content["Optimizer"]["lr"] = {
        "name": "Cyclic", "base_learning_rate": 0.1, "max_learning_rate": 0.4, "warmup_epoch": 0,
        "step_size_up": 10, "step_size_down": 15, "by_epoch": by_epoch, **more,
    }  # fmt: skip
    recipe = translate(read_configuration(write(tmp_path, content)), cards=4).recipe
    for update in range(400):
        rate = recipe.optimiser.lr * rate_factor(recipe.schedule, update / 4, EPOCHS)
        step = update // 4 if by_epoch else update
        assert rate == pytest.approx(cyclic(step, 10, 15, shrink)), update


def test_a_rate_by_the_epoch(tmp_path):
    found, _ = rates(tmp_path, {"name": "Cosine", "learning_rate": 0.1, "by_epoch": True})
    wanted = [cosine(place // 4) for place in range(4 * EPOCHS)]
    assert found == pytest.approx(wanted)


def test_plateau_waits_one_more_than_its_patience(tmp_path):
    content = plain("ResNet18")
    content["Optimizer"]["lr"] = {
        "name": "ReduceOnPlateau", "learning_rate": 0.1, "factor": 0.5, "patience": 3,
        "mode": "max",
    }  # fmt: skip
    schedule = translate(read_configuration(write(tmp_path, content)), cards=4).recipe.schedule
    assert (schedule.curve, schedule.gamma, schedule.patience) == ("plateau", 0.5, 4)


@pytest.mark.parametrize(
    ("lr", "problem"),
    [
        ({"name": "Polynom", "learning_rate": 0.1}, "a curve that residua has not"),
        ({"name": "Cyclic", "base_learning_rate": 0.1, "max_learning_rate": 0.4,
          "step_size_up": 500}, "without the list of pictures"),
        ({"name": "Cyclic", "base_learning_rate": 0.4, "max_learning_rate": 0.1}, "is 0.1, and"),
        ({"name": "CosineFixmatch", "learning_rate": 1, "num_warmup_steps": 9}, "counts updates"),
        ({"name": "Piecewise", "decay_epochs": [1], "values": [0, 0.1]}, "begin at 0"),
        ({"name": "Piecewise", "decay_epochs": [1, 2], "values": [1, 0.5]}, "one more is expected"),
        ({"name": "Linear", "learning_rate": 0.1, "cycle": True}, "does not rise again"),
        ({"name": "Cosine", "learning_rate": 0}, "above 0"),
        ({"name": "Cosine", "learning_rate": "fast"}, "a number is expected"),
        ({"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 120}, "there are 120 epochs"),
        ({"name": "Cosine", "learning_rate": 1, "warmup_epoch": 2, "warmup_start_lr": 3}, "above"),
        ({"name": "OneCycleLR", "max_learning_rate": 0.1, "three_phase": True}, "two phases"),
        ({"name": "ReduceOnPlateau", "learning_rate": 0.1, "cooldown": 2}, "waits after a fall"),
        ({"name": "Cosine", "learning_rate": 0.1, "eta_mn": 0.1}, "eta_mn"),
        ({"name": "Constant", "learning_rate": 0.1, "warmup_epoch": 2}, "only ConstLR warms up"),
        (
            {"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 2, "by_epoch": True},
            "first epoch at rate 0",
        ),
    ],
)  # fmt: skip
def test_rates_that_would_be_others(tmp_path, lr, problem):
    with pytest.raises(SettingError, match=problem):
        rates(tmp_path, lr)
