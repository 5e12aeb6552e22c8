"""Findings on classes: how many pictures each has, and whether the parts agree about them."""

from collections.abc import Iterator, Sequence

import numpy as np

from residua.data.doctor.findings import Example, Finding
from residua.data.source import Source

_FEW = 10  # pictures
_IMBALANCE = 10.0  # largest class by smallest


def check_classes(parts: Sequence[Source], labels: Sequence[str]) -> Iterator[Finding]:
    """Yield what is to say of the classes of ``parts`` (training, then validation)."""
    yield from _check_counts(parts[0], labels[0])
    if len(parts) > 1:
        yield from _check_agreement(parts[0], parts[1])


def _check_counts(training: Source, label: str) -> Iterator[Finding]:
    names, counts = training.classes.names, training.count_classes()
    present = np.flatnonzero(counts)
    where = f"{label}: " if label else ""
    if len(present) == 1 and not training.multi_label:
        yield Finding(
            "error", "one-class", f"{where}class that has all pictures", 1,
            "A classifier needs two at least. Is DATA the folder above the class folders?",
            (Example((), names[present[0]]),),
        )  # fmt: skip
    few = [number for number in present[np.argsort(counts[present], kind="stable")]
           if counts[number] < _FEW]  # fmt: skip
    if few:
        yield Finding(
            "warning", "few-pictures", f"{where}classes of fewer than {_FEW} pictures",
            len(few), "Collect more, or merge them: so few teach little and measure nothing.",
            _list_classes(training, few),
        )  # fmt: skip
    if len(present) > 1:
        largest, smallest = (int(present[f(counts[present])]) for f in (np.argmax, np.argmin))
        ratio = counts[largest] / counts[smallest]
        if ratio >= _IMBALANCE:
            yield Finding(
                "warning", "imbalance",
                f"{where}imbalance: the largest class has {ratio:.0f} times the pictures of the "
                "smallest", 1,
                "Look at figures by class, and weight the classes in the loss.",
                _list_classes(training, [largest, smallest]),
            )  # fmt: skip


def _check_agreement(training: Source, validation: Source) -> Iterator[Finding]:
    there, held_out = _present(training), _present(validation)
    unknown = [name for name in validation.classes.names if name in held_out - there]
    if unknown:
        yield Finding(
            "error", "unknown-classes", "classes of val that are not in train",
            len(unknown), "Add pictures to train, or match the names: nothing can learn these.",
            _name_classes(unknown),
        )  # fmt: skip
    absent = [name for name in training.classes.names if name in there - held_out]
    if absent:
        yield Finding(
            "warning", "absent-classes", "classes of train that are not in val",
            len(absent), "Figures say nothing about these. Add pictures of them to val.",
            _name_classes(absent),
        )  # fmt: skip


def _present(source: Source) -> set[str]:
    return {source.classes.names[number] for number in np.flatnonzero(source.count_classes())}


def _list_classes(source: Source, numbers: Sequence[int]) -> tuple[Example, ...]:
    counts = source.count_classes()
    return tuple(
        Example((), f"{source.classes.names[number]}: {counts[number]}") for number in numbers
    )


def _name_classes(names: Sequence[str]) -> tuple[Example, ...]:
    return tuple(Example((), name) for name in names)
