"""Class names: the thousand of ImageNet, and the matching of two lists by name."""

from functools import cache
from importlib.resources import files

from residua.bundle.schema import Classes


@cache
def imagenet_classes() -> Classes:
    """Return the 1000 classes of ImageNet-1k in the usual order, with synset ids (see NOTICE)."""
    text = files("residua.bundle").joinpath("imagenet.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return Classes(ids=tuple(row[0] for row in rows), names=tuple(row[1] for row in rows))


def numbered_classes(count: int) -> Classes:
    """Return names for classes that nobody named: "class 0", "class 1" and so on."""
    return Classes(names=tuple(f"class {index}" for index in range(count)))


def match_classes(given: Classes, wanted: Classes) -> tuple[int | None, ...]:
    """Return the index in ``given`` of each of ``wanted``: by id where both have ids, else by name.

    None stands for a class that ``given`` lacks; nothing is ever shifted. A name that stands twice
    in ``given`` (ImageNet has two cranes) is matched by the order of its occurrences.
    """
    by_id = bool(given.ids and wanted.ids)
    keys = list(given.ids if by_id else given.names)
    places: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        places.setdefault(key, []).append(index)
    found: list[int | None] = []
    for key in wanted.ids if by_id else wanted.names:
        waiting = places.get(key, [])
        found.append(waiting.pop(0) if waiting else None)
    return tuple(found)
