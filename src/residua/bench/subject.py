"""The model of a benchmark: its bundle, its published accuracy, its multiply-adds.

Where a zoo name's weights cannot be had, or are not wanted, the network is measured with random
ones: speed does not hang on their values.
"""

from dataclasses import dataclass
from pathlib import Path

from residua.base.errors import DownloadError, WeightsError
from residua.bench.stand_in import make_stand_in
from residua.bundle.schema import Metrics
from residua.bundle.store import Bundle, is_bundle
from residua.zoo.count import count, stored_counts
from residua.zoo.table import ROWS
from residua.zoo.weights.catalogue import (
    Entry,
    find_architecture,
    find_entry,
    is_known,
)
from residua.zoo.weights.resolve import open_bundle


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be measured, and how it was ``given``.

    ``top1`` is in 0…1, of the data ``top1_of``; None: not known.
    """

    name: str
    given: str
    bundle: Bundle
    macs: int
    top1: float | None = None
    top1_of: str = ""
    notes: tuple[str, ...] = ()

    @property
    def image_size(self) -> int:
        """Pixels of a side of the square crop."""
        return self.bundle.manifest.preprocess.crop_size


def open_subject(name: str, scratch: Path, *, random: bool = False) -> Subject:
    """Return the model of a zoo name, a bundle or a weight file.

    ``random`` takes random weights for zoo names whatever there is; they are written below
    ``scratch``. Raises what ``open_bundle`` raises but DownloadError.
    """
    path = Path(name).expanduser()
    if is_bundle(path) or path.is_file() or not is_known(name):
        bundle = open_bundle(name)
        label = path.stem if path.exists() else name
        return _describe(label, name, bundle, bundle.manifest.metrics)
    try:
        entry = find_entry(name)
    except WeightsError as error:
        return _stand_in(name, None, scratch, error.problem)
    if random:
        return _stand_in(name, entry, scratch, "As asked for.")
    try:
        return _describe(entry.name, name, open_bundle(name), entry.metrics)
    except DownloadError as error:
        return _stand_in(name, entry, scratch, error.problem)


def _stand_in(name: str, entry: Entry | None, scratch: Path, why: str) -> Subject:
    row = find_architecture(name)
    label = entry.name if entry else row.name
    path = scratch / f"{label}.bundle"
    bundle = make_stand_in(path, row, entry.preprocess if entry else None)
    note = f"Random weights: {why}"
    return _describe(label, name, bundle, entry.metrics if entry else (), note)


def _describe(
    name: str, given: str, bundle: Bundle, metrics: tuple[Metrics, ...], *notes: str
) -> Subject:
    known = [each for each in metrics if each.top1 is not None]
    return Subject(
        name=name,
        given=given,
        bundle=bundle,
        macs=count_macs(bundle),
        top1=known[-1].top1 if known else None,
        top1_of=known[-1].data if known else "",
        notes=notes,
    )


def count_macs(bundle: Bundle) -> int:
    """Return the multiply-adds of one crop: from the table, else counted by torch on no data."""
    row, size = bundle.manifest.architecture, bundle.manifest.preprocess.crop_size
    if ROWS.get(row.name) == row and size in (stored := stored_counts()[row.name].macs):
        return stored[size]
    return count(row, (size,)).macs[size]
