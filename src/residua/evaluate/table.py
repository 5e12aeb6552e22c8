"""An evaluation as text for people and as a record for machines."""

from typing import Any

from residua.base.words import count_of
from residua.data.source import Source
from residua.evaluate.confusion import Confused, most_confused
from residua.evaluate.metrics import Tally
from residua.evaluate.multilabel import LabelTally
from residua.evaluate.run import Evaluation

_SHOWN = 20  # of many classes, the weakest; JSON has them all
_LONGEST = 40  # characters of a class name
_PAIRS = 5  # most confused, shown
_PAIRS_KEPT = 20  # most confused, in JSON
_LARGEST_MATRIX = 2000  # classes; JSON of more would be hundreds of megabytes


def render(evaluation: Evaluation, source: Source) -> str:
    """Return the figures as lines of text, then the classes, weakest first."""
    metrics, counts = evaluation.metrics, evaluation.counts
    present, size = int((counts.figures.support > 0).sum()), metrics.image_size
    pictures = count_of(counts.total, "picture")
    lines = [
        f"{metrics.data}: {pictures} of {count_of(present, 'class', 'classes')}, {size} pixels",
        *(_single_lines(counts) if isinstance(counts, Tally) else _multi_lines(counts)),
        f"  loss   {counts.loss:8.4f}",
        f"  ECE    {counts.reliability.error:8.2%}  (error of the probabilities, 15 bins)",
        "",
        *_class_lines(class_rows(evaluation, source)),
    ]
    if isinstance(counts, Tally):
        lines += _pair_lines(most_confused(counts.confusion, counts.images, _PAIRS), source)
    lines += [f"\nNote: {note}" for note in evaluation.notes]
    if evaluation.failures:
        lines.append(f"\n{len(evaluation.failures)} pictures cannot be read and are in no figure:")
        lines += [f"  {failure.message.splitlines()[0]}" for failure in evaluation.failures[:10]]
        if len(evaluation.failures) > 10:
            lines.append(f"  … and {len(evaluation.failures) - 10} more (--json has all)")
    return "\n".join(lines)


def as_record(evaluation: Evaluation, source: Source) -> dict[str, Any]:
    """Return the evaluation as plain JSON values.

    "confusion" is the matrix by class (row) and answer (column), of up to 2000 classes.
    """
    metrics, counts = evaluation.metrics, evaluation.counts
    record = metrics.model_dump(mode="json", exclude={"source", "per_class"}, exclude_none=True)
    record["per_class"] = class_rows(evaluation, source)
    record["reliability"] = counts.reliability.as_record()
    if isinstance(counts, Tally):
        names = source.classes.names
        pairs = most_confused(counts.confusion, counts.images, _PAIRS_KEPT)
        record["right"] = int(counts.right.sum())
        record["most_confused"] = [
            {
                "class": names[pair.label],
                "answer": names[pair.answer],
                "count": pair.count,
                "images": pair.images,
            }
            for pair in pairs
        ]
        if counts.num_classes <= _LARGEST_MATRIX:
            record["classes"] = list(names)
            record["confusion"] = counts.confusion.tolist()
    record["errors"] = [
        {"filename": source.names[f.index], "reason": f.reason, "error": f.message}
        for f in evaluation.failures
    ]
    record["notes"] = list(evaluation.notes)
    return record


def class_rows(evaluation: Evaluation, source: Source) -> list[dict[str, Any]]:
    """Return one row for each class that has pictures, in the order of the classes.

    "accuracy" is the share of its pictures that are answered with it; of multi-label pictures
    there is "average_precision" instead, and "recall" at a probability of 0.5.
    """
    counts, classes = evaluation.counts, source.classes
    figures = counts.figures
    rows = []
    for label, name in enumerate(classes.names):
        if not figures.support[label]:
            continue
        row: dict[str, Any] = {"class": name}
        if classes.ids:
            row["id"] = classes.ids[label]
        row |= {"images": int(figures.support[label]), "right": int(counts.right[label])}
        if isinstance(counts, Tally):
            row["accuracy"] = float(figures.recall[label])
        else:
            row["average_precision"] = float(counts.precisions[label])
            row["recall"] = float(figures.recall[label])
        row |= {"precision": float(figures.precision[label]), "f1": float(figures.f1[label])}
        rows.append(row)
    return rows


def _single_lines(tally: Tally) -> list[str]:
    more, figures = tally.num_classes > 5, tally.figures
    return [
        f"  top-1  {tally.top1:8.2%}  ({int(tally.right.sum())} right)",
        # Of five classes or fewer the five best are all.
        *([f"  top-5  {tally.top5:8.2%}  ({int(tally.near.sum())} right)"] if more else []),
        (
            f"  F1     {figures.mean('f1'):8.2%}  (mean of the classes; precision "
            f"{figures.mean('precision'):.2%}, recall {figures.mean('recall'):.2%})"
        ),
    ]


def _multi_lines(tally: LabelTally) -> list[str]:
    if not tally.applying.any():
        return ["  no class applies to any picture"]
    figures = tally.figures
    return [
        (
            f"  mAP    {tally.map or 0:8.2%}  (mean of the classes; all pairs: "
            f"{tally.micro_precision:.2%})"
        ),
        (
            f"  F1     {figures.mean('f1'):8.2%}  (mean of the classes; all pairs: "
            f"{tally.micro_f1:.2%}; at a probability of 0.5)"
        ),
        (
            f"  exact  {tally.exact / tally.total:8.2%}  ({tally.exact} pictures with every class "
            "right)"
        ),
    ]


def _class_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of the classes, the weakest first."""
    if not rows:
        return []
    value = "accuracy" if "accuracy" in rows[0] else "average_precision"
    heading = "accuracy" if value == "accuracy" else "      AP"
    rows = sorted(rows, key=lambda row: (row[value], row["class"]))
    shown = [shorten(row["class"]) for row in rows[:_SHOWN]]
    width = max([5, *map(len, shown)])
    lines = [f"  {'class':{width}}  pictures   right  {heading}  precision       F1"]
    lines += [
        f"  {name:{width}}  {row['images']:8}  {row['right']:6}  {row[value]:8.2%}"
        f"  {row['precision']:9.2%}  {row['f1']:7.2%}"
        for name, row in zip(shown, rows, strict=False)
    ]
    if len(rows) > _SHOWN:
        lines.append(f"  … and {len(rows) - _SHOWN} classes that are better")
    return lines


def _pair_lines(pairs: tuple[Confused, ...], source: Source) -> list[str]:
    if not pairs:
        return []
    names = [shorten(name) for name in source.classes.names]
    return [
        "",
        "  most confused",
        *(
            f"  {names[pair.label]} taken for {names[pair.answer]}: {pair.count} of {pair.images}"
            for pair in pairs
        ),
    ]


def shorten(name: str) -> str:
    """Return a class name of at most 40 characters."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
