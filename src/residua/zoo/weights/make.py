"""A weight file and the facts about it into a bundle.

The importers (``read``, ``detect``, ``convert``) are imported when a file is really read, so that
opening a bundle that exists already stays quick and free of torch.
"""

import math
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from residua.base.errors import SettingError, WeightsError
from residua.base.version import __version__
from residua.bundle.classes import imagenet_classes, numbered_classes
from residua.bundle.schema import Architecture, Classes, Manifest, Metrics, Preprocess, Provenance
from residua.bundle.store import Bundle, write_bundle
from residua.zoo.weights.catalogue import Entry

if TYPE_CHECKING:
    from residua.zoo.weights.names.convert import Converted

Head = Literal["keep", "new"]

# Grey pictures: the means of the three channels' figures.
_GREY: dict[str, Any] = {"colour": "grey", "mean": (0.449,), "std": (0.226,)}


def make_bundle(
    source: Path,
    digest: str,
    target: Path,
    row: Architecture | None,
    *,
    entry: Entry | None = None,
    head: Head = "keep",
    classes: Classes | None = None,
    preprocess: Mapping[str, Any] | None = None,
    licence: str = "",
    origin: str = "",
    made_by: str,
    overwrite: bool = False,
) -> Bundle:
    """Read the weight file ``source``, whose SHA-256 is ``digest``, and write it as a bundle.

    ``row`` None lets the tensors say which network it is. ``entry`` brings the published pixels,
    accuracy and licence; ``preprocess`` holds single settings that override what follows from the
    entry or from the family of the names; ``origin`` is where the file came from. Raises what the
    importers raise, and SettingError where classes or preprocessing do not fit the tensors.
    """
    converted = convert_file(source, row, head=head, classes=classes)
    row = converted.row
    if classes is None:
        known = row.num_classes == len(imagenet_classes()) and head == "keep"
        classes = imagenet_classes() if known else numbered_classes(row.num_classes)
    if len(classes) != row.num_classes:
        raise SettingError(
            f"{source.name} has {row.num_classes} outputs, and there are {len(classes)} classes.",
            next_step="Name as many classes as outputs, or replace the classifier: --head new.",
        )
    manifest = Manifest(
        architecture=row,
        classes=classes,
        preprocess=_preprocess_of(converted, entry, preprocess or {}),
        metrics=_published(entry, converted, head),
        licence=licence or (entry.licence if entry else "unknown"),
        provenance=Provenance(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            residua=__version__,
            made_by=made_by,
            source=origin or source.name,
            source_sha256=digest,
            versions={
                "python": platform.python_version(),
                **{name: version(name) for name in ("numpy", "safetensors")},
            },
            notes=(f"tensors named as in {converted.naming}", *converted.notes),
        ),
    )
    return write_bundle(target, manifest, converted.tensors, overwrite=overwrite)


def convert_file(
    source: Path, row: Architecture | None, *, head: Head = "keep", classes: Classes | None = None
) -> "Converted":
    """Return a weight file's tensors in our names, if asked with a new head for ``classes``."""
    from residua.zoo.weights.files.read import read_tensors
    from residua.zoo.weights.names.convert import convert
    from residua.zoo.weights.names.detect import detect_row

    tensors = read_tensors(source)
    row = row or detect_row(tensors, source.name)
    if head == "new":
        if classes is None:
            raise SettingError(
                "A new classifier needs to know its classes.",
                next_step="Give --classes FILE with one name a line, or --num-classes N.",
            )
        row = row.model_copy(update={"num_classes": len(classes)})
    converted = convert(tensors, row, head=head)
    if head == "new":
        converted.tensors.update(_draw_head(converted.row))
    return converted


def _draw_head(row: Architecture) -> dict[str, np.ndarray]:
    """Return a fresh classifier, as ``zoo.create`` draws it; the same one at every import."""
    from residua.zoo.block import EXPANSION

    features = row.widths[-1] * EXPANSION[row.block]
    bound = 1 / math.sqrt(features)
    draw = np.random.default_rng(0).uniform(-bound, bound, (row.num_classes, features))
    return {
        "head.weight": draw.astype(np.float32),
        "head.bias": np.zeros(row.num_classes, np.float32),
    }


def read_classes(path: Path) -> Classes:
    """Read class names from a text file, in the order of the outputs, one a line.

    A line is a name; or an id, a tab and a name; or a synset (n01440764) and a name; or the number
    of the output and a name, as in PaddleClas's label lists, which must count from 0.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The class names in {path} cannot be read ({error}).",
            next_step="Give a text file in UTF-8 with one name a line.",
        ) from error
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise SettingError(f"{path} names no classes.", next_step="Write one name a line.")
    for pattern in (r"([^\t]+)\t\s*(\S.*)", r"(n\d{8})\s+(\S.*)"):
        pairs = [re.fullmatch(pattern, line) for line in lines]
        if all(pairs):
            found = [(pair[1], pair[2]) for pair in pairs if pair]
            if _counts_from_zero([first for first, _ in found]):
                return Classes(names=tuple(name for _, name in found))
            return Classes(ids=tuple(i for i, _ in found), names=tuple(n for _, n in found))
    split = [line.split(maxsplit=1) for line in lines]
    if all(len(parts) == 2 for parts in split) and _counts_from_zero([p[0] for p in split]):
        return Classes(names=tuple(parts[1] for parts in split))
    return Classes(names=tuple(lines))


def _counts_from_zero(numbers: list[str]) -> bool:
    return numbers == [str(index) for index in range(len(numbers))]


def _preprocess_of(
    converted: "Converted", entry: Entry | None, changes: Mapping[str, Any]
) -> Preprocess:
    """Return the entry's preprocessing, or that of the family of the names, with ``changes``."""
    row = converted.row
    base: dict[str, Any] = {}
    if entry:
        base = entry.preprocess.model_dump()
    elif row.stem == "3x3":  # CIFAR and the like: small pictures are used whole
        base = {"crop_size": 32, "short_side": 32}
    elif converted.naming.startswith("Paddle"):
        base = {"resampler": "opencv", "rounding": "paddle"}
    if row.input_channels == 1:
        base |= _GREY
    try:
        preprocess = Preprocess.model_validate(base | dict(changes))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f" {part}" for part in first["loc"][:1])
        raise SettingError(
            f"The preprocessing cannot be so{':' if place else ''}{place}: {first['msg']}.",
            next_step="See: residua weights import --help",
        ) from error
    if preprocess.channels != row.input_channels:
        raise SettingError(
            f"The network takes {row.input_channels} channels, and the preprocessing gives "
            f"{preprocess.channels} ({preprocess.colour}).",
            next_step="Give --colour, --mean and --std as the network was trained with.",
        )
    return preprocess


def _published(entry: Entry | None, converted: "Converted", head: Head) -> tuple[Metrics, ...]:
    """Return the entry's accuracy, if it is the accuracy of these tensors."""
    if entry is None or head == "new":
        return ()
    if converted.row.num_classes != len(imagenet_classes()):
        raise WeightsError(
            f"{entry.name} has 1000 outputs, and this file has {converted.row.num_classes}.",
            next_step=f"Name the network instead: --model {entry.row}",
        )
    return entry.metrics
