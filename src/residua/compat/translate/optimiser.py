"""``Optimizer``: whose step is taken, its decay, and (in ``schedule``) its rate."""

from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section

_KNOWN = "residua has SGD, Momentum, Adam, AdamW and RMSProp of PaddleClas's."


def translate_optimiser(configuration: Configuration) -> dict[str, Any]:
    """Return the keys of ``optimiser`` but for the rate. Raises SettingError."""
    part = find_optimiser(configuration)
    part.ignore("multi_precision", reason="weights are float32 here, whatever computes")
    part.ignore("lazy_mode", reason="there are no sparse gradients here")
    values: dict[str, Any] = {}
    bound = part.number("clip_norm", 0.0)
    if bound < 0:
        raise part.refused("clip_norm", f"is {bound:g}; a bound is above 0")
    if bound:
        values["optimiser.clip_tensor_norm"] = bound  # theirs is of each tensor by itself
    return values | _read_step(part)


def _read_step(part: Section) -> dict[str, Any]:
    """Return whose step is taken, and its decay."""
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
        case "AdamW" | "Adam" as name:
            values = {
                "optimiser.name": name.lower(), "optimiser.eps": part.number("epsilon", 1e-8),
                "optimiser.betas": [part.number("beta1", 0.9), part.number("beta2", 0.999)],
            }  # fmt: skip
            return values | read_decay(part, coupled=name == "Adam")
        case "RMSProp":
            values = {
                "optimiser.name": "rmsprop", "optimiser.momentum": part.number("momentum", 0.0),
                "optimiser.betas": [0.0, part.number("rho", 0.95)],
                "optimiser.eps": part.number("epsilon", 1e-6),
            }  # fmt: skip
            return values | read_decay(part, coupled=True)
        case name:
            raise part.refused("name", f"is {name}, which residua has not", _KNOWN)


def find_optimiser(configuration: Configuration) -> Section:
    """Return the one optimiser; of a list of one that is of everything, this one."""
    whole = configuration.whole
    if isinstance(whole.content.get("Optimizer"), list) and not whole.has_taken("Optimizer"):
        found = whole.steps("Optimizer")
        if len(found) != 1 or found[0][1].take("scope", "all") != "all":
            raise whole.refused(
                "Optimizer", "has several, by parts of the network", "Give one for all."
            )
        ((name, part),) = found
        content = {"name": name, **part.content}
        content.pop("scope", None)
        whole.adopt("Optimizer", Section(content, part.place, part.findings))
    return whole.part("Optimizer")


def read_decay(part: Section, *, coupled: bool) -> dict[str, Any]:
    """Return the decay of the weights: PaddleClas decays all of them, biases and scales too."""
    coefficient, kind = part.number("weight_decay", 0.0), "L2"
    if "regularizer" in part:
        regulariser = part.part("regularizer")
        kind = regulariser.text("name", "L2")
        if kind not in {"L1", "L2"}:
            raise regulariser.refused("name", f"is {kind}, and L1 and L2 are known")
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
    if spared and part.text("name") != "AdamW":
        part.findings.note(
            f"{part.where('one_dim_param_no_weight_decay')} spares scales and biases, as it says; "
            "PaddleClas heeds it with AdamW alone."
        )
    values = {"optimiser.weight_decay": coefficient, "optimiser.decay_all": not spared}
    if kind == "L1":
        values |= {"optimiser.weight_decay": 0.0, "optimiser.l1_decay": coefficient}
    return values
