"""``Loss`` without a teacher, and ``Metric``: what is minimised, and which model is the best."""

from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section

_ACCURACY = {"TopkAcc", "DistillationTopkAcc"}
_SEVERAL = {"HammingDistance", "AccuracyScore", "MultiLabelMAP", "MultilabelMeanAccuracy"}


def translate_loss(configuration: Configuration) -> dict[str, Any]:
    """Return the keys of ``loss``: cross entropy, or the binary one of multi-label data."""
    losses = configuration.whole.part("Loss")
    found = losses.steps("Train")
    read_evaluation(losses)
    if len(found) != 1:
        names = ", ".join(name for name, _ in found) or "nothing"
        raise losses.refused("Train", f"is {names}, where one loss is expected")
    ((name, loss),) = found
    if loss.number("weight", 1.0) != 1:
        loss.findings.note(f"{loss.where('weight')} is ignored, as in PaddleClas: it is alone.")
    match name:
        case "CELoss":
            loss.expect("reduction", "mean", why="and the mean over the batch is taken here")
            return {"loss.kind": "cross-entropy"} | read_smoothing(loss)
        case "MultiLabelLoss":
            values = {"loss.kind": "bce", "data.multi_label": True} | read_smoothing(loss)
            if loss.flag("weight_ratio"):
                values["loss.class_weights"] = "ratio"
            if loss.flag("size_sum"):
                values["loss.reduction"] = "sum"
            return values
    raise losses.refused(
        "Train", f"is {name}, which residua has not",
        "It has CELoss, MultiLabelLoss, and the losses of DistillationModel.",
    )  # fmt: skip


def read_smoothing(loss: Section) -> dict[str, Any]:
    """Return label smoothing, if it is set."""
    share = loss.number("epsilon", 0.0)
    return {"loss.label_smoothing": share} if share else {}


def read_evaluation(losses: Section) -> None:
    """Look at ``Loss.Eval``: validation's loss is that of training, without smoothing."""
    for name, loss in losses.steps("Eval"):
        for key in ("weight", "model_names"):
            loss.take(key)  # validation's loss is a figure, and chooses nothing
        loss.ignore("size_sum", "weight_ratio", "epsilon", reason="validation's loss is plain")
        if name not in {"CELoss", "MultiLabelLoss", "DistillationGTCELoss"}:
            raise losses.refused("Eval", f"is {name}, which residua has not")


def translate_metric(configuration: Configuration, *, multi_label: bool) -> dict[str, Any]:
    """Return ``evaluate.metric``: the first of ``Metric.Eval`` chooses the best model."""
    metric = configuration.whole.part("Metric")
    metric.ignore("Train", reason="training reports its loss; accuracy is validation's")
    found = metric.steps("Eval")
    for name, part in found:
        part.ignore("model_key", reason="the student is what is validated")
        if part.numbers("topk", [1])[:1] != [1]:
            part.findings.note(f"{part.where('topk')}: the best model is chosen by top-1 here.")
        if name not in _ACCURACY | _SEVERAL:
            raise metric.refused("Eval", f"is {name}, which residua does not count")
    first = found[0][0] if found else "TopkAcc"
    if not multi_label:
        return {"evaluate.metric": "top1"}
    if first != "MultiLabelMAP":
        metric.findings.note(
            f"{metric.where('Eval')} is {first} first; the best model is chosen by mAP here."
        )
    return {"evaluate.metric": "map"}
