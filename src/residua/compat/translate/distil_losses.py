"""The losses of a DistillationModel: what is compared with the teacher, and how it is weighed.

Sources: ppcls/loss of PaddleClas at d178931f.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.compat.translate.model import find_network
from residua.zoo.table import find_row

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two networks: their sections, whether the teacher is frozen, and the student's name."""

    teacher: Section
    student: Section
    frozen: bool
    student_key: str
    width: int  # of AFD's queries and keys


def translate_losses(configuration: Configuration, pair: Pair) -> Values:
    """Return the keys of ``distil`` but for the teacher's. Raises SettingError."""
    losses = configuration.whole.part("Loss")
    values: Values = {}
    temperatures: set[float] = set()
    label_weight = 0.0
    for name, loss in losses.steps("Train"):
        weight = loss.number("weight", 1.0)
        loss.ignore("model_name_pairs", "model_name_pair", reason="there is one pair")
        loss.expect(
            "key", "logits", why="and answers are compared here"
        ) if name in _ANSWERS else None
        if name == "DistillationGTCELoss":
            taught = loss.take("model_names", [])
            label_weight = weight
            if pair.frozen and taught not in ([], [pair.student_key]):
                raise loss.refused("model_names", f"are {taught}: the teacher is frozen")
            continue
        if name == "DistillationKLDivLoss":
            temperatures.add(loss.number("temperature", 4.0))
            values["distil.soft_weight"] = weight
            continue
        reader = _METHODS.get(name)
        if reader is None:
            raise losses.refused(
                "Train", f"has {name}, which residua has not",
                f"It has: {', '.join(sorted([*_METHODS, 'DistillationGTCELoss']))}.",
            )  # fmt: skip
        read = reader(loss, pair)
        weight *= read.pop("scale", 1.0)
        if "temperature" in read:
            temperatures.add(read["temperature"])
        named = {f"distil.{key}": value for key, value in read.items()}
        values = _join(losses, values, named | {"distil.weight": weight})
    if len(temperatures) > 1:
        raise losses.refused("Train", f"has temperatures {sorted(temperatures)}: one is possible")
    values |= {"distil.temperature": temperatures.pop()} if temperatures else {}
    return _complete(losses, values | {"distil.label_weight": label_weight})


_ANSWERS = frozenset({
    "DistillationGTCELoss", "DistillationKLDivLoss", "DistillationDMLLoss", "DistillationCELoss",
    "DistillationDKDLoss", "DistillationDISTLoss", "DistillationWSLLoss", "DistillationSKDLoss",
})  # fmt: skip


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


def _read_cross_entropy(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    """The cross entropy against the teacher's softmax is its divergence at 1, plus a constant."""
    return {"method": "kd", "temperature": 1.0}


def _read_dkd(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    loss.expect("use_target_as_gt", False, why="and the right class is the label here")
    return {
        "method": "dkd", "temperature": loss.number("temperature", 1.0),
        "alpha": loss.number("alpha", 1.0), "beta": loss.number("beta", 1.0),
    }  # fmt: skip


def _read_dist(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    return {
        "method": "dist", "beta": loss.number("beta", 1.0), "gamma": loss.number("gamma", 1.0)
    }  # fmt: skip


def _read_wsl(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    return {"method": "wsl", "temperature": loss.number("temperature", 2.0)}


def _read_skd(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    return {
        "method": "skd", "temperature": loss.number("temperature", 1.0),
        "multiplier": loss.number("multiplier", 2.0), "alpha": loss.number("alpha", 0.9),
    }  # fmt: skip


def _read_rkd(loss: Section, pair: Pair) -> Values:  # noqa: ARG001  # a reader
    loss.ignore(
        "student_keys", "teacher_keys", "s_key", "t_key", reason="pooled features are taken"
    )
    return {"method": "rkd"}


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
