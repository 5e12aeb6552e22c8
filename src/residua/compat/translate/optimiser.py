"""``Optimizer``: whose step is taken, its decay, and (in ``schedule``) its rate."""

from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section

_KNOWN = "residua has SGD, Momentum and AdamW of PaddleClas's."


def translate_optimiser(configuration: Configuration) -> dict[str, Any]:
    """Return the keys of ``optimiser`` but for the rate. Raises SettingError."""
    part = find_optimiser(configuration)
    part.ignore("multi_precision", reason="weights are float32 here, whatever computes")
    part.ignore("lazy_mode", reason="there are no sparse gradients here")
    if part.number("clip_norm", 0.0):
        raise part.refused(
            "clip_norm", "bounds the norm of each tensor by itself in PaddleClas",
            "Take it out; a bound of all gradients together is -o optimiser.clip_norm=1",
        )  # fmt: skip
    match part.text("name"):
        case "Momentum":
            values = {
                "optimiser.name": "sgd", "optimiser.momentum": part.number("momentum", 0.9),
                "optimiser.nesterov": part.flag("use_nesterov"),
            }  # fmt: skip
            return values | read_decay(part, coupled=True)
        case "SGD":
            values = {
                "optimiser.name": "sgd", "optimiser.momentum": 0.0, "optimiser.nesterov": False
            }  # fmt: skip
            return values | read_decay(part, coupled=True)
        case "AdamW" | "Adam":
            decay = read_decay(part, coupled=part.text("name") == "Adam")
            if part.text("name") == "Adam" and decay["optimiser.weight_decay"]:
                raise part.refused(
                    "name", "is Adam with a decay, which is coupled there",
                    "Take AdamW, whose decay is decoupled.",
                )  # fmt: skip
            values = {
                "optimiser.name": "adamw", "optimiser.eps": part.number("epsilon", 1e-8),
                "optimiser.betas": [part.number("beta1", 0.9), part.number("beta2", 0.999)],
            }  # fmt: skip
            return values | decay
        case name:
            raise part.refused("name", f"is {name}, which residua has not", _KNOWN)


def find_optimiser(configuration: Configuration) -> Section:
    """Return the one optimiser; of a list of one that is of everything, this one."""
    whole = configuration.whole
    if not isinstance(whole.content.get("Optimizer"), list):
        return whole.part("Optimizer")
    found = whole.steps("Optimizer")
    if len(found) != 1 or found[0][1].take("scope", "all") != "all":
        raise whole.refused(
            "Optimizer", "has several, by parts of the network", "Give one for all."
        )
    ((name, part),) = found
    return Section({"name": name, **part.content}, part.place, part.findings)


def read_decay(part: Section, *, coupled: bool) -> dict[str, Any]:
    """Return the decay of the weights: PaddleClas decays all of them, biases and scales too."""
    coefficient = part.number("weight_decay", 0.0)
    if "regularizer" in part:
        regulariser = part.part("regularizer")
        kind = regulariser.text("name", "L2")
        if kind != "L2":
            raise regulariser.refused("name", f"is {kind}, and only L2 is known here")
        if coefficient:
            part.findings.note(f"{part.where('weight_decay')} yields to the regularizer, as there.")
        coefficient = regulariser.number("coeff", 0.0)
        if not coupled and coefficient:
            raise part.refused(
                "regularizer", "is added to the gradient, and AdamW's decay here is decoupled",
                "Set Optimizer.weight_decay instead.",
            )  # fmt: skip
    if part.text("no_weight_decay_name"):
        raise part.refused(
            "no_weight_decay_name", "names weights without decay",
            "To leave out all scales and biases: one_dim_param_no_weight_decay: True",
        )  # fmt: skip
    spared = part.flag("one_dim_param_no_weight_decay")
    return {"optimiser.weight_decay": coefficient, "optimiser.decay_all": not spared}
