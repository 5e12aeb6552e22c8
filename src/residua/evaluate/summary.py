"""Counts as the record that goes into a bundle."""

from residua.bundle.schema import Metrics
from residua.data.source import Source
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import LabelTally


def summarise(
    counts: Tally | LabelTally, source: Source, image_size: int | None, data_sha256: str | None
) -> Metrics:
    """Return the figures of an evaluation of ``source`` at ``image_size`` pixels."""
    figures = counts.figures
    some = bool((figures.support > 0).any())  # multi-label pictures may have no class at all
    metrics = Metrics(
        source="measured",
        data=source.title,
        loss=counts.loss,
        images=counts.total,
        image_size=image_size,
        data_sha256=data_sha256,
        precision=figures.mean("precision") if some else None,
        recall=figures.mean("recall") if some else None,
        f1=figures.mean("f1") if some else None,
        weighted_precision=figures.mean("precision", weighted=True) if some else None,
        weighted_f1=figures.mean("f1", weighted=True) if some else None,
        ece=counts.reliability.error,
    )
    if isinstance(counts, Tally):
        own: dict[str, float | None] = {"top1": counts.top1, "top5": counts.top5}
        by_class = figures.recall
    else:
        own = {
            "map": counts.map,
            "micro_map": counts.micro_precision if some else None,
            "micro_f1": counts.micro_f1,
            "exact": counts.exact / counts.total,
        }
        by_class = counts.precisions
    keys = class_keys(source)
    present = [label for label, images in enumerate(figures.support) if images]
    per_class = {keys[label]: float(by_class[label]) for label in present}
    return metrics.model_copy(update={**own, "per_class": per_class})


def class_keys(source: Source) -> tuple[str, ...]:
    """Return a key for each class: its name, or its id where names stand twice.

    ImageNet has two cranes; their ids tell them apart.
    """
    names, ids = source.classes.names, source.classes.ids
    return ids if ids and len(set(names)) < len(names) else names
