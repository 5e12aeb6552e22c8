"""``Optimizer.lr``: the learning rate over the epochs.

Sources: ppcls/optimizer/learning_rate.py of PaddleClas at d178931f. Its warm-up runs first and the
curve begins at its end, so that falls come that much later; milestones here count from the start.
"""

from itertools import pairwise
from typing import Any

from residua.compat.config.section import Section

Values = dict[str, Any]
_ROUNDING = 1e-6  # factors of a fall that differ by less are meant to be one
_CURVES = (
    "It has Constant, Linear, Cosine, Step, Piecewise, MultiStepDecay, ReduceOnPlateau, Cyclic, "
    "CosineFixmatch and OneCycleLR of PaddleClas's."
)


def translate_schedule(
    rate: Section, *, epochs: int, updates: int | None = None, values_said: bool = False
) -> Values:
    """Return the keys of ``schedule`` and ``optimiser.lr``. Raises SettingError.

    ``updates`` says how many an epoch has; None: nobody knows.

    ``values_said``: the command line gives the rates of Piecewise, and not its learning_rate.
    """
    if rate.text("name", "Constant") == "Constant":
        rate.expect("warmup_epoch", 0, why="and only ConstLR warms up in PaddleClas")
    rate.ignore("step_each_epoch", "last_epoch", "verbose", reason="known from the run itself")
    per = "epoch" if rate.flag("by_epoch") else "step"
    values: Values = {"schedule.per": per} | _read_curve(
        rate, epochs=epochs, updates=updates, values_said=values_said
    )
    warmup = rate.number("warmup_epoch", 0.0)
    if warmup:
        if warmup >= epochs:
            raise rate.refused("warmup_epoch", f"is {warmup:g}, and there are {epochs} epochs")
        values["schedule.warmup_epochs"] = warmup
        start = rate.number("warmup_start_lr", 0.0)
        if start > values["optimiser.lr"]:
            raise rate.refused("warmup_start_lr", f"is {start:g}, above the rate itself")
        if per == "epoch" and not start:
            raise rate.refused(
                "by_epoch", "with a warm-up from 0 trains the first epoch at rate 0",
                "Give warmup_start_lr, or leave by_epoch out.",
            )  # fmt: skip
        values["schedule.warmup_start"] = start / values["optimiser.lr"]
    else:
        rate.ignore("warmup_start_lr", reason="there is no warm-up")
    return values


def _read_curve(rate: Section, *, epochs: int, updates: int | None, values_said: bool) -> Values:
    match rate.text("name", "Constant"):
        case "Piecewise":
            return _read_piecewise(rate, epochs=epochs, values_said=values_said)
        case "OneCycleLR":
            return _read_one_cycle(rate, epochs=epochs)
        case "ReduceOnPlateau":
            return _read_plateau(rate)
        case "Cyclic":
            return _read_cyclic(rate, updates)
        case name:
            return _read_from_peak(name, rate, epochs)


def _read_from_peak(name: str, rate: Section, epochs: int) -> Values:
    """Return a curve that begins at ``learning_rate``."""
    peak = rate.number("learning_rate")
    if peak <= 0:
        raise rate.refused("learning_rate", f"is {peak:g}; a rate is above 0")
    values: Values = {"optimiser.lr": peak}
    match name:
        case "Constant" | "ConstLR":
            values["schedule.curve"] = "constant"
        case "Cosine":
            values |= {
                "schedule.curve": "cosine", "schedule.final": rate.number("eta_min", 0.0) / peak
            }  # fmt: skip
        case "Linear":
            rate.expect("cycle", False, why="and the rate does not rise again here")
            values |= {
                "schedule.curve": "polynomial", "schedule.power": rate.number("power", 1.0),
                "schedule.final": rate.number("end_lr", 0.0) / peak,
            }  # fmt: skip
        case "CosineFixmatch":
            rate.expect(
                "num_warmup_steps", 0, why="which counts updates: warm-ups have epochs here"
            )
            values |= {
                "schedule.curve": "fixmatch", "schedule.cycles": rate.number("num_cycles", 7 / 16)
            }  # fmt: skip
        case "Step":
            values |= _read_step(rate, epochs=epochs)
        case "MultiStepDecay":
            later = rate.number("warmup_epoch", 0.0)
            falls = [epoch + later for epoch in rate.numbers("milestones")]
            values |= _fall_at(falls, rate.number("gamma", 0.1))
        case _:
            raise rate.refused("name", f"is {name}, a curve that residua has not", _CURVES)
    return values


def _fall_at(milestones: list[float], factor: float) -> Values:
    if not milestones:
        return {"schedule.curve": "constant"}
    return {
        "schedule.curve": "multistep", "schedule.milestones": milestones, "schedule.gamma": factor
    }  # fmt: skip


def _read_step(rate: Section, *, epochs: int) -> Values:
    """Return a fall every so many epochs; after a warm-up they are counted from its end."""
    size, factor = rate.number("step_size"), rate.number("gamma", 0.1)
    warmup = rate.number("warmup_epoch", 0.0)
    if not warmup:
        return {
            "schedule.curve": "step", "schedule.step_epochs": size, "schedule.gamma": factor
        }  # fmt: skip
    count = int((epochs - warmup) / size)
    return _fall_at([warmup + size * (place + 1) for place in range(count)], factor)


def _read_piecewise(rate: Section, *, epochs: int, values_said: bool) -> Values:
    """Return the falls as they are written, from the rate that is written beside them.

    PaddleClas throws them away as soon as ``learning_rate`` is there, and falls every 30 epochs.
    """
    falls, steps = rate.numbers("decay_epochs"), rate.numbers("values")
    given = rate.number("learning_rate", steps[0] if steps else None)
    if values_said and steps:
        given = steps[0]
        rate.findings.note(f"{rate.where('values')} begin at {given:g}: learning_rate yields.")
    rule = [float(epoch) for epoch in range(30, epochs, 30)]
    later = rate.number("warmup_epoch", 0.0)
    if not falls:
        return {"optimiser.lr": given} | _fall_at([epoch + later for epoch in rule], 0.1)
    if len(steps) != len(falls) + 1:
        raise rate.refused(
            "values", f"are {len(steps)} for {len(falls)} falls: one more is expected"
        )
    if steps[0] <= 0:
        raise rate.refused("values", f"begin at {steps[0]:g}; a rate is above 0")
    reached = [epoch for epoch in falls if epoch < epochs]
    tenfold = all(abs(after - before / 10) < _ROUNDING for before, after in pairwise(steps))
    if "learning_rate" in rate and not (reached == rule and tenfold):
        rate.findings.note(
            f"{rate.place} falls as it says, at {_spell(reached)}; PaddleClas, where "
            f"learning_rate stands beside them, falls to a tenth at {_spell(rule)}."
        )
    milestones = [epoch + later for epoch in falls]
    factors = {after / before for before, after in pairwise(steps) if before}
    if 0 not in steps and max(factors) - min(factors) < _ROUNDING:
        return {"optimiser.lr": given} | _fall_at(milestones, round(factors.pop(), 6))
    return {
        "optimiser.lr": given, "schedule.curve": "multistep", "schedule.milestones": milestones,
        "schedule.factors": [value / steps[0] for value in steps[1:]],
    }  # fmt: skip


def _spell(epochs: list[float]) -> str:
    return ", ".join(f"{epoch:g}" for epoch in epochs) or "none"


def _read_one_cycle(rate: Section, *, epochs: int) -> Values:
    """Return a rise along half a cosine and a fall along another (arXiv 1708.07120)."""
    peak = rate.number("max_learning_rate")
    rate.expect("anneal_strategy", "cos", why="and one cycle follows a cosine here")
    rate.expect("three_phase", False, why="and one cycle has two phases here")
    rate.expect("warmup_epoch", 0, why="and one cycle has its own rise")
    share, divisor = rate.number("phase_pct", 0.3), rate.number("divide_factor", 25.0)
    if divisor < 1 or not 0 < share < 1:
        raise rate.refused("divide_factor", "is at least 1, and phase_pct within 0…1")
    return {
        "optimiser.lr": peak, "schedule.curve": "one-cycle",
        "schedule.warmup_epochs": share * epochs,
        "schedule.warmup_start": 1 / divisor,
        "schedule.final": rate.number("end_learning_rate", 1e-10) / peak,
    }  # fmt: skip


def _read_cyclic(rate: Section, updates: int | None) -> Values:
    """Return triangles between two rates (arXiv 1506.01186), whose lengths are in updates there.

    Of a rate that changes by epoch they are in epochs.
    """
    low, high = rate.number("base_learning_rate"), rate.number("max_learning_rate")
    if not 0 <= low <= high or not high:
        raise rate.refused("max_learning_rate", f"is {high:g}, and base_learning_rate {low:g}")
    rate.expect("warmup_epoch", 0, why="and a cycle begins with a rise of its own")
    rate.expect("scale_fn", None, why="which is code: modes are known")
    rate.ignore("scale_mode", reason="it belongs to scale_fn")
    each = 1 if rate.flag("by_epoch") else updates
    if each is None:
        raise rate.refused(
            "step_size_up",
            "counts updates, and without the list of pictures nobody knows how many an epoch has",
            "Put the list where cls_label_path says, or set by_epoch: True.",
        )  # fmt: skip
    if not rate.flag("by_epoch"):
        rate.findings.note(
            f"{rate.where('step_size_up')} counts updates: an epoch of the list has {each:g}."
        )
    rise = rate.number("step_size_up") / each
    fall = rate.number("step_size_down", rise * each) / each
    mode, exponent = rate.text("mode", "triangular"), rate.number("exp_gamma", 1.0)
    if not (0 < exponent <= 1 and rise > 0 and fall > 0):
        raise rate.refused("step_size_up", "and step_size_down are above 0, exp_gamma in 0…1")
    falls = {
        "triangular": {},
        "triangular2": {"schedule.cycle_fall": "steps", "schedule.gamma": 0.5},
        "exp_range": {
            "schedule.cycle_fall": "smooth", "schedule.gamma": exponent ** ((rise + fall) * each)
        },
    }  # fmt: skip
    if mode not in falls:
        raise rate.refused("mode", f"is {mode}", f"Known are {', '.join(falls)}.")
    return {
        "optimiser.lr": high, "schedule.curve": "cyclic", "schedule.final": low / high,
        "schedule.cycle_epochs": [rise, fall],
    } | falls[mode]  # fmt: skip


def _read_plateau(rate: Section) -> Values:
    for key, why in (("cooldown", "waits after a fall"), ("min_lr", "is a lower bound")):
        rate.expect(key, 0, why=f"which {why}: that is not known here")
    if rate.text("mode", "min") != "max":
        rate.findings.note(
            f"{rate.where('mode')} is min, and PaddleClas steps it by the accuracy; here the rate "
            "falls when accuracy stops rising."
        )
    rate.expect("threshold", 1e-4, why="and any better validation counts here")
    rate.ignore("threshold_mode", "epsilon", reason="any better validation counts")
    patience = rate.whole("patience", 10) + 1  # there the rate falls after more than patience
    return {
        "optimiser.lr": rate.number("learning_rate"), "schedule.curve": "plateau",
        "schedule.gamma": rate.number("factor", 0.1), "schedule.patience": patience,
    }  # fmt: skip
