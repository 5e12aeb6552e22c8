"""The losses of a DistillationModel: what is compared with the teacher, and how it is weighed.

Sources: ppcls/loss of PaddleClas at d178931f.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.compat.translate.loss import read_smoothing
from residua.compat.translate.model import find_network
from residua.zoo.table import find_row

Values = dict[str, Any]
# Of these the answers are compared: "key" says so.
_ANSWERS = frozenset({
    "DistillationGTCELoss", "DistillationKLDivLoss", "DistillationDMLLoss", "DistillationCELoss",
    "DistillationDKDLoss", "DistillationDISTLoss", "DistillationWSLLoss", "DistillationSKDLoss",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """The two networks: their sections, whether the teacher is frozen, and the student's name."""

    teacher: Section
    student: Section
    frozen: bool
    student_key: str
    teacher_key: str
    width: int  # of AFD's queries and keys


def translate_losses(configuration: Configuration, pair: Pair) -> Values:
    """Return the keys of ``distil`` but for the teacher's. Raises SettingError."""
    losses = configuration.whole.part("Loss")
    values: Values = {"distil.label_weight": 0.0}
    names: list[str] = []
    for name, loss in losses.steps("Train"):
        if name in names:
            raise losses.refused(
                "Train", f"has {name} twice: one is possible", "Add up the weights."
            )
        names.append(name)
        loss.ignore("model_name_pairs", "model_name_pair", reason="there is one pair")
        if name in _ANSWERS:
            loss.expect("key", "logits", why="and answers are compared here")
        read = _read_loss(losses, name, loss, pair)
        key = "distil.temperature"
        found = {float(part[key]) for part in (values, read) if key in part}
        if len(found) > 1:
            raise losses.refused("Train", f"has temperatures {sorted(found)}: one is possible")
        values = _join(losses, values, read)
    return _complete(losses, values)


def _read_loss(losses: Section, name: str, loss: Section, pair: Pair) -> Values:
    weight = loss.number("weight", 1.0)
    match name:
        case "DistillationGTCELoss":
            return _read_labels(loss, pair, weight)
        case "DistillationKLDivLoss":
            temperature = loss.number("temperature", 4.0)
            return {"distil.soft_weight": weight, "distil.temperature": temperature}
    if name not in _METHODS:
        raise losses.refused(
            "Train", f"has {name}, which residua has not",
            f"It has: {', '.join(sorted([*_METHODS, 'DistillationGTCELoss']))}.",
        )  # fmt: skip
    read = _METHODS[name](loss, pair)
    weight *= read.pop("scale", 1.0)
    return {f"distil.{key}": value for key, value in read.items()} | {"distil.weight": weight}


def _read_labels(loss: Section, pair: Pair, weight: float) -> Values:
    """Return the weight of the labels' loss: the student's, or of two that learn both's."""
    given = loss.take("model_names", [])
    wanted = [pair.student_key] if pair.frozen else [pair.student_key, pair.teacher_key]
    if given and sorted(given) != sorted(wanted):
        raise loss.refused(
            "model_names", f"are {given}, and {' and '.join(wanted)} learn from labels"
        )
    return {"distil.label_weight": weight} | read_smoothing(loss)


def _join(losses: Section, values: Values, more: Values) -> Values:
    """Return both; DML and a distance of features together are UDML."""
    methods = {str(m["distil.method"]) for m in (values, more) if "distil.method" in m}
    if len(methods) < 2:
        return values | more
    if methods == {"dml", "feature"}:
        if values.get("distil.weight") != more.get("distil.weight"):
            raise losses.refused(
                "Train", "weighs answers and features differently: UDML has one weight"
            )
        return values | more | {"distil.method": "udml"}
    raise losses.refused("Train", f"has {' and '.join(sorted(methods))} at once: one is possible")


def _complete(losses: Section, values: Values) -> Values:
    """Return the values; a divergence alone is the method kd."""
    if "distil.method" in values:
        return values
    if "distil.soft_weight" not in values:
        raise losses.refused("Train", "compares nothing with the teacher")
    return values | {"distil.method": "kd", "distil.weight": values.pop("distil.soft_weight")}


def _read_divergence(loss: Section, pair: Pair) -> Values:
    loss.expect("act", "softmax", why="and the answers' softmax is compared here")
    loss.ignore("maps_name", "name", reason="names of outputs have no meaning here")
    return {"method": "ssld" if pair.frozen else "dml"}


def _read_cross_entropy(_loss: Section, _pair: Pair) -> Values:
    """The cross entropy against the teacher's softmax is its divergence at 1, plus a constant."""
    return {"method": "kd", "temperature": 1.0}


def _read_dkd(loss: Section, _: Pair) -> Values:
    loss.expect("use_target_as_gt", False, why="and the right class is the label here")
    return {
        "method": "dkd", "temperature": loss.number("temperature", 1.0),
        "alpha": loss.number("alpha", 1.0), "beta": loss.number("beta", 1.0),
    }  # fmt: skip


def _read_dist(loss: Section, _: Pair) -> Values:
    return {
        "method": "dist", "beta": loss.number("beta", 1.0), "gamma": loss.number("gamma", 1.0)
    }  # fmt: skip


def _read_wsl(loss: Section, _: Pair) -> Values:
    return {"method": "wsl", "temperature": loss.number("temperature", 2.0)}


def _read_skd(loss: Section, _: Pair) -> Values:
    return {
        "method": "skd", "temperature": loss.number("temperature", 1.0),
        "multiplier": loss.number("multiplier", 2.0), "alpha": loss.number("alpha", 0.9),
    }  # fmt: skip


def _read_rkd(loss: Section, _: Pair) -> Values:
    """Both parts count once there, of whatever is kept; here what is pooled is compared."""
    loss.take("target_size")
    for key in ("student_keepkeys", "teacher_keepkeys"):
        if loss.take(key, []) != ["avg_pool"]:
            raise loss.refused(
                key, f"is {loss.take(key)}, and RKD compares pooled features here",
                "Set both to [avg_pool].",
            )  # fmt: skip
    return {"method": "rkd", "distance": 1.0, "angle": 1.0}


def _read_afd(loss: Section, pair: Pair) -> Values:
    loss.ignore(
        "student_keys", "teacher_keys", "s_shapes", "t_shapes",
        reason="all blocks are compared, whose shapes are known",
    )  # fmt: skip
    return {"method": "afd", "width": pair.width}


def _read_pair(loss: Section, pair: Pair) -> Values:
    loss.ignore(
        "name", "student_channel", "student_channels", "teacher_channel", "teacher_channels",
        reason="channels are the networks' own",
    )  # fmt: skip
    match loss.text("base_loss_name"):
        case "MGDLoss":
            features = _read_features(loss, pair)
            return features | {
                "method": "mgd", "scale": loss.number("alpha_mgd", 1.756),
                "hidden": loss.number("lambda_mgd", 0.15),
            }  # fmt: skip
        case "PEFDLoss":
            for key in ("s_key", "t_key"):
                loss.expect(key, "avg_pool", why="and PEFD compares pooled features here")
            return {"method": "pefd", "projectors": loss.whole("num_projectors", 3)}
        case other:
            raise loss.refused("base_loss_name", f"is {other}", "Known are MGDLoss and PEFDLoss.")


def _read_distance(loss: Section, pair: Pair) -> Values:
    mode = loss.text("mode", "l2")
    if mode != "l2":
        raise loss.refused("mode", f"is {mode}, and features are compared by their squares here")
    loss.ignore("name", "act", reason="names of outputs have no meaning here")
    key = loss.text("key")
    features = {side: _find_feature(loss, "key", key, network) for side, network in (
        ("student_features", pair.student), ("teacher_features", pair.teacher))}  # fmt: skip
    return {"method": "feature"} | {side: [name] for side, name in features.items()}


def _read_features(loss: Section, pair: Pair) -> Values:
    """Return the features that are compared, unless they are the last of both."""
    names = {
        "student_features": _find_feature(loss, "s_key", loss.text("s_key"), pair.student),
        "teacher_features": _find_feature(loss, "t_key", loss.text("t_key"), pair.teacher),
    }
    if set(names.values()) == {"stage4"}:
        return {}
    return {side: [name] for side, name in names.items()}


def _find_feature(loss: Section, key: str, given: str, network: Section) -> str:
    """Return our name of a block "blocks[7]", counted over all stages."""
    depths = find_row(find_network(network)).depths
    number = given.removeprefix("blocks[").removesuffix("]")
    if not (given.startswith("blocks[") and number.isdigit() and int(number) < sum(depths)):
        raise loss.refused(
            key, f"is {given!r}, and features here are blocks[0] to blocks[{sum(depths) - 1}]"
        )
    ends = list(accumulate(depths))
    stage = next(place for place, end in enumerate(ends) if int(number) < end)
    if int(number) == ends[stage] - 1:
        return f"stage{stage + 1}"
    return f"stage{stage + 1}.{int(number) - (ends[stage - 1] if stage else 0)}"


_METHODS: dict[str, Callable[[Section, Pair], Values]] = {
    "DistillationDMLLoss": _read_divergence, "DistillationCELoss": _read_cross_entropy,
    "DistillationDKDLoss": _read_dkd, "DistillationDISTLoss": _read_dist,
    "DistillationWSLLoss": _read_wsl, "DistillationSKDLoss": _read_skd,
    "DistillationRKDLoss": _read_rkd, "AFDLoss": _read_afd, "DistillationPairLoss": _read_pair,
    "DistillationDistanceLoss": _read_distance,
}  # fmt: skip
