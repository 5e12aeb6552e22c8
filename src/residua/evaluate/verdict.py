"""A comparison, and a sweep over sizes, as text for people and as records for machines."""

from collections.abc import Sequence
from typing import Any

from residua.data.source import Source
from residua.evaluate.compare import ClassDifference, Comparison
from residua.evaluate.multilabel import LabelTally
from residua.evaluate.resolution import Trial
from residua.evaluate.table import shorten

_SHOWN = 10  # classes that differ most; JSON has them all


def render_comparison(
    comparison: Comparison, rows: Sequence[ClassDifference], source: Source, names: tuple[str, str]
) -> str:
    """Return the comparison of the two models called ``names`` as lines of text."""
    low, high = (100 * bound for bound in comparison.interval)
    images = comparison.images
    what = "every class right" if source.multi_label else "right"
    lines = [
        f"{source.title}: {images} pictures, the same for both",
        f"  A  {comparison.right_a / images:8.2%}  ({comparison.right_a} {what})  {names[0]}",
        f"  B  {comparison.right_b / images:8.2%}  ({comparison.right_b} {what})  {names[1]}",
        (
            f"  B - A  {100 * comparison.difference:+.2f} points, 95 % interval "
            f"{low:+.2f} to {high:+.2f} (paired bootstrap)"
        ),
        (
            f"  only A right: {comparison.only_a}, only B right: {comparison.only_b}; "
            f"p = {comparison.p_value:.2g} (McNemar, exact)"
        ),
        "",
        f"  {comparison.verdict}",
    ]
    rows = [row for row in rows if row.a != row.b]
    if rows:
        classes = [shorten(name) for name in source.classes.names]
        width = max([5, *(len(classes[row.label]) for row in rows[:_SHOWN])])
        lines += ["", f"  {'class':{width}}  pictures        A        B   points"]
        lines += [
            f"  {classes[row.label]:{width}}  {row.images:8}  {row.a:7.2%}  {row.b:7.2%}"
            f"  {100 * (row.b - row.a):+7.2f}"
            for row in rows[:_SHOWN]
        ]
        if len(rows) > _SHOWN:
            lines.append(f"  … and {len(rows) - _SHOWN} classes that differ less")
    return "\n".join(lines)


def record_comparison(
    comparison: Comparison, rows: Sequence[ClassDifference], source: Source
) -> dict[str, Any]:
    """Return the comparison as plain JSON values."""
    return {
        "data": source.title,
        "images": comparison.images,
        "right_a": comparison.right_a,
        "right_b": comparison.right_b,
        "only_a": comparison.only_a,
        "only_b": comparison.only_b,
        "difference": comparison.difference,
        "interval": list(comparison.interval),
        "p_value": comparison.p_value,
        "verdict": comparison.verdict,
        "per_class": [
            {
                "class": source.classes.names[row.label],
                "images": row.images,
                "a": row.a,
                "b": row.b,
            }
            for row in sorted(rows, key=lambda row: row.label)
        ],
    }


def render_sizes(trials: Sequence[Trial], source: Source, chosen: Trial, reason: str) -> str:
    """Return the trials as a table, and which size to take."""
    multi = isinstance(trials[0].evaluation.counts, LabelTally)
    lines = [
        f"{source.title}: {trials[0].evaluation.counts.total} pictures",
        f"  pixels  short side  {'  mAP' if multi else 'top-1'}     loss  ms a picture",
    ]
    for trial in trials:
        counts = trial.evaluation.counts
        mark = "  *" if trial is chosen else ""
        lines.append(
            f"  {trial.size:6}  {trial.preprocess.short_side:10}  {trial.value:7.2%}"
            f"  {counts.loss:7.4f}  {trial.milliseconds:12.2f}{mark}"
        )
    batch = trials[0].batch
    lines += ["", f"  * {reason}", f"  (time of the network alone, {batch} pictures at once)"]
    if chosen.value < max(trial.value for trial in trials):
        lines.append("  (another size is taken by naming it alone: --sizes N --write-size)")
    return "\n".join(lines)


def record_sizes(trials: Sequence[Trial], chosen: Trial, reason: str) -> dict[str, Any]:
    """Return the trials as plain JSON values."""
    return {
        "sizes": [
            {
                "image_size": trial.size,
                "short_side": trial.preprocess.short_side,
                "map" if isinstance(trial.evaluation.counts, LabelTally) else "top1": trial.value,
                "loss": trial.evaluation.counts.loss,
                "images": trial.evaluation.counts.total,
                "milliseconds": trial.milliseconds,
                "batch": trial.batch,
            }
            for trial in trials
        ],
        "chosen": chosen.size,
        "reason": reason,
    }
