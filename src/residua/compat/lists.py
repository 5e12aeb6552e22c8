"""The pictures of a configuration: two lists, each with its own root, and one set of classes."""

from collections.abc import Sequence
from pathlib import Path

from residua.base.errors import SettingError
from residua.bundle.classes import imagenet_classes, numbered_classes
from residua.bundle.schema import Classes
from residua.compat.translate.data import Listing
from residua.data.settings import DataPart
from residua.data.source import Parts, Source
from residua.data.sources.class_lists import read_classes
from residua.data.sources.open import open_source

_IMAGENET = 1000


def open_both(training: Listing, validation: Listing, *, label_map: str, num_classes: int) -> Parts:
    """Return both parts. Raises DataError, SettingError where the label map does not fit."""
    classes = name_classes(label_map, num_classes)
    return Parts(open_list(training, classes), open_list(validation, classes))


def open_list(listing: Listing, classes: Classes) -> Source:
    """Return the pictures of one list; its numbers are positions in ``classes``."""
    settings = DataPart(
        format="list", root=listing.root, delimiter=listing.delimiter,
        multi_label=listing.multi_label,
    )  # fmt: skip
    return open_source(listing.path, settings, classes)


def name_classes(label_map: str, num_classes: int) -> Classes:
    """Return the classes of a configuration: of its label map, ImageNet's, or numbers."""
    if not label_map:
        return imagenet_classes() if num_classes == _IMAGENET else numbered_classes(num_classes)
    classes = read_classes(Path(label_map), numbered=True)
    if len(classes) != num_classes:
        raise SettingError(
            f"Arch.class_num is {num_classes}, and {label_map} names {len(classes)} classes.",
            next_step=f"Add -o Arch.class_num={len(classes)}, or name the right file with "
            "-o Infer.PostProcess.class_id_map_file=…",
        )
    return classes


def rename(classes: Classes, names: Sequence[str]) -> Classes:
    """Return ``classes`` called by other ``names``. Raises SettingError where they do not fit."""
    if len(names) != len(classes):
        raise SettingError(
            f"class_id_map_file names {len(names)} classes, and the network has {len(classes)}."
        )
    return Classes(names=tuple(names))
