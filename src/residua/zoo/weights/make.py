"""A weight file and the facts about it into a bundle.

The importers (``content.py``) are imported when a file is really read, so that opening a bundle
that exists already stays quick and free of torch.
"""

import platform
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from residua.base.errors import SettingError, WeightsError
from residua.base.version import __version__
from residua.bundle.classes import imagenet_classes, numbered_classes
from residua.bundle.schema import Architecture, Classes, Manifest, Metrics, Preprocess, Provenance
from residua.bundle.store import Bundle, write_bundle
from residua.zoo.weights.catalogue import Entry

if TYPE_CHECKING:
    from residua.zoo.weights.content import Content, Head
    from residua.zoo.weights.names.convert import Converted

# Grey pictures: the means of the three channels' figures.
_GREY: dict[str, Any] = {"colour": "grey", "mean": (0.449,), "std": (0.226,)}


def make_bundle(
    source: Path,
    digest: str,
    target: Path,
    row: Architecture | None,
    *,
    entry: Entry | None = None,
    head: "Head" = "keep",
    classes: Classes | None = None,
    preprocess: Mapping[str, Any] | None = None,
    licence: str = "",
    origin: str = "",
    made_by: str,
    overwrite: bool = False,
) -> Bundle:
    """Read the weight file ``source``, whose SHA-256 is ``digest``, and write it as a bundle.

    ``source`` may be the folder of an inference archive. ``row`` None lets the tensors say which
    network it is. ``entry`` brings the published pixels, accuracy and licence; ``preprocess`` holds
    single settings that override what the archive tells, and what follows from the entry or from
    the family of the names; ``origin`` is where the file came from. Raises what the importers
    raise, and SettingError where classes or preprocessing do not fit the tensors.
    """
    from residua.zoo.weights.content import read_content

    content = read_content(source, row, head=head, classes=classes)
    converted = content.converted
    row = converted.row
    classes = classes or _classes_of(content)
    if len(classes) != row.num_classes:
        raise SettingError(
            f"{source.name} has {row.num_classes} outputs, and there are {len(classes)} classes.",
            next_step="Name as many classes as outputs, or replace the classifier: --head new.",
        )
    manifest = Manifest(
        architecture=row,
        classes=classes,
        task="single-label" if content.single_label else "multi-label",
        preprocess=_preprocess_of(converted, entry, content.preprocess | dict(preprocess or {})),
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
            notes=(*content.notes, *content.missing),
        ),
    )
    return write_bundle(target, manifest, converted.tensors, overwrite=overwrite)


def _classes_of(content: "Content") -> Classes:
    """Return the classes that the file names, else ImageNet's for a thousand, else numbers."""
    count = content.converted.row.num_classes
    if content.classes is not None:
        return content.classes
    for missing in content.missing:
        warnings.warn(f"{missing} Name the classes with --classes FILE.", stacklevel=3)
    return imagenet_classes() if count == len(imagenet_classes()) else numbered_classes(count)


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


def _published(entry: Entry | None, converted: "Converted", head: "Head") -> tuple[Metrics, ...]:
    """Return the entry's accuracy, if it is the accuracy of these tensors."""
    if entry is None or head == "new":
        return ()
    if converted.row.num_classes != len(imagenet_classes()):
        raise WeightsError(
            f"{entry.name} has 1000 outputs, and this file has {converted.row.num_classes}.",
            next_step=f"Name the network instead: --model {entry.row}",
        )
    return entry.metrics
