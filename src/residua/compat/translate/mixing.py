"""The operators of whole batches: mixup, CutMix, and the drawing of one of them."""

from typing import Any

from residua.compat.config.section import Section

Values = dict[str, Any]


def translate_mixing(dataset: Section) -> Values:
    """Return the keys of ``augment.mix``."""
    found = dataset.steps("batch_transform_ops")
    if len(found) > 1:
        raise dataset.refused(
            "batch_transform_ops", f"has {' and '.join(name for name, _ in found)}",
            "One of several is drawn by OpSampler.",
        )  # fmt: skip
    if not found:
        return {}
    ((name, step),) = found
    match name:
        case "MixupOperator":
            return {"augment.mix.mixup": step.number("alpha", 1.0)}
        case "CutmixOperator":
            return {"augment.mix.cutmix": step.number("alpha", 0.2)}
        case "OpSampler":
            return _read_sampler(step)
    raise dataset.refused(
        "batch_transform_ops", f"has {name}, which residua has not",
        "It has MixupOperator, CutmixOperator, and OpSampler of both.",
    )  # fmt: skip


def _read_sampler(step: Section) -> Values:
    alphas = {"MixupOperator": 1.0, "CutmixOperator": 0.2}  # theirs by default
    for name in step.content:
        if name not in alphas:
            raise step.refused(name, "is an operator that residua has not")
    chances, values = {}, {}
    for name, alpha in alphas.items():
        part = step.part(name)
        chances[name] = part.number("prob", 0.0)
        if chances[name]:
            key = "mixup" if name == "MixupOperator" else "cutmix"
            values[f"augment.mix.{key}"] = part.number("alpha", alpha)
    total = sum(chances.values())
    if total > 1:
        raise step.refused("prob", f"add up to {total:g}, more than 1")
    if not total:
        step.findings.note(f"{step.place} mixes nothing: no operator has a prob.")
        return {}
    switch = chances["CutmixOperator"] / total
    return values | {"augment.mix.probability": total, "augment.mix.switch": switch}
