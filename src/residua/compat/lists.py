"""The pictures of a configuration: two lists, each with its own root, and one set of classes."""

from pathlib import Path

from residua.bundle.classes import imagenet_classes, numbered_classes
from residua.bundle.schema import Classes
from residua.compat.config.read import Configuration
from residua.compat.translate.data import Listing, find_label_map
from residua.data.settings import DataPart
from residua.data.source import Parts, Source
from residua.data.sources.class_lists import read_classes
from residua.data.sources.open import open_source

_IMAGENET = 1000


def open_both(training: Listing, validation: Listing, classes: Classes) -> Parts:
    """Return both parts. Raises DataError."""
    return Parts(open_list(training, classes), open_list(validation, classes))


def open_list(listing: Listing, classes: Classes) -> Source:
    """Return the pictures of one list; its numbers are positions in ``classes``."""
    settings = DataPart(
        format="list", root=listing.root, delimiter=listing.delimiter,
        multi_label=listing.multi_label,
    )  # fmt: skip
    return open_source(listing.path, settings, classes)


def fit_label_map(configuration: Configuration, num_classes: int) -> str:
    """Return the file that names so many classes for ``Infer``; "" where there is none.

    One of the file that names another number is left, with a note: it is PaddleClas's own, of
    another data set. Raises SettingError where the command line says it.
    """
    process = configuration.whole.part("Infer").part("PostProcess")
    found = find_label_map(configuration, process)
    if not found:
        return ""
    count = len(read_classes(Path(found), numbered=True))
    if count == num_classes:
        return found
    if configuration.says(process.where("class_id_map_file")):
        raise process.refused(
            "class_id_map_file", f"names {count} classes, and there are {num_classes}",
            f"Add -o Arch.class_num={count}, or name the right file.",
        )  # fmt: skip
    configuration.findings.note(
        f"{process.where('class_id_map_file')} names {count} classes, and there are {num_classes}: "
        "it is left, and classes are called by their numbers."
    )
    return ""


def name_classes(label_map: str, num_classes: int) -> Classes:
    """Return the classes of a configuration: of its label map, ImageNet's, or numbers."""
    if label_map:
        return read_classes(Path(label_map), numbered=True)
    return imagenet_classes() if num_classes == _IMAGENET else numbered_classes(num_classes)
