"""An evaluation as text for people and as a record for machines."""

from typing import Any

from residua.bundle.schema import Classes
from residua.data.source import Source
from residua.evaluate.run import Evaluation

# Of many classes the weakest are shown; JSON has them all.
_SHOWN = 20


def render(evaluation: Evaluation, source: Source) -> str:
    """Return the figures as lines of text, then the classes, weakest first."""
    metrics, tally = evaluation.metrics, evaluation.tally
    tops, size, present = min(5, tally.num_classes), metrics.image_size, (tally.images > 0).sum()
    lines = [
        f"{metrics.data}: {tally.total} pictures of {present} classes, {size} pixels",
        f"  top-1  {tally.top1:8.2%}  ({int(tally.right.sum())} right)",
        f"  top-{tops}  {tally.top5:8.2%}  ({int(tally.near.sum())} right)",
        f"  loss   {tally.loss:8.4f}",
        "",
    ]
    rows = _class_rows(evaluation, source.classes)
    rows.sort(key=lambda row: (row["accuracy"], row["class"]))
    width = max([5, *(len(row["class"]) for row in rows[:_SHOWN])])
    lines.append(f"  {'class':{width}}  pictures   right  accuracy")
    lines += [
        f"  {row['class']:{width}}  {row['images']:8}  {row['right']:6}  {row['accuracy']:8.2%}"
        for row in rows[:_SHOWN]
    ]
    if len(rows) > _SHOWN:
        lines.append(f"  … and {len(rows) - _SHOWN} classes with a higher accuracy")
    lines += [f"\nNote: {note}" for note in evaluation.notes]
    if evaluation.failures:
        lines.append(f"\n{len(evaluation.failures)} pictures cannot be read and are in no figure:")
        lines += [f"  {failure.message.splitlines()[0]}" for failure in evaluation.failures[:10]]
        if len(evaluation.failures) > 10:
            lines.append(f"  … and {len(evaluation.failures) - 10} more (--json has all)")
    return "\n".join(lines)


def as_record(evaluation: Evaluation, source: Source) -> dict[str, Any]:
    """Return the evaluation as plain JSON values."""
    metrics, tally = evaluation.metrics, evaluation.tally
    return {
        "data": metrics.data,
        "data_sha256": metrics.data_sha256,
        "images": tally.total,
        "image_size": metrics.image_size,
        "top1": tally.top1,
        "top5": tally.top5,
        "loss": tally.loss,
        "right": int(tally.right.sum()),
        "per_class": _class_rows(evaluation, source.classes),
        "errors": [
            {"filename": source.names[f.index], "reason": f.reason, "error": f.message}
            for f in evaluation.failures
        ],
        "notes": list(evaluation.notes),
    }


def _class_rows(evaluation: Evaluation, classes: Classes) -> list[dict[str, Any]]:
    """Return one row for each class that has pictures, in the order of the classes."""
    tally = evaluation.tally
    return [
        {
            "class": name,
            **({"id": classes.ids[label]} if classes.ids else {}),
            "images": int(tally.images[label]),
            "right": int(tally.right[label]),
            "accuracy": int(tally.right[label]) / int(tally.images[label]),
        }
        for label, name in enumerate(classes.names)
        if tally.images[label]
    ]
