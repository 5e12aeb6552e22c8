"""Which pictures of a data set an evaluation is about: never, unasked, those trained on."""

from pathlib import Path
from typing import Literal

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Manifest
from residua.data.settings import DataPart
from residua.data.source import Source
from residua.data.sources.open import open_source
from residua.data.sources.parts import find_parts
from residua.data.split import split

Part = Literal["auto", "all", "train", "val"]
PARTS: tuple[Part, ...] = ("auto", "all", "train", "val")


def open_part(
    place: str | Path, manifest: Manifest, part: str = "auto", *, settings: DataPart | None = None
) -> tuple[Source, str]:
    """Return the pictures to evaluate, with the classes of the bundle, and a sentence on which.

    "val" and "train" are the parts that ``place`` is divided into (``data.parts``), or else those
    that the bundle's training split off. "auto" is "val" where there are such parts, or where the
    bundle was trained on a part of this very data set; else it is "all". ``settings`` say how
    ``place`` is read; without them it is read as the training's data set was, see ``recall``.
    """
    if part not in PARTS:
        raise UnknownNameError("part", part, PARTS)
    settings = settings or recall(manifest)
    found = find_parts(place, settings)
    if found:
        if part == "all":
            raise SettingError(
                f"{place} is divided into train/ and val/; there is no whole to evaluate.",
                next_step="Choose --part val or --part train.",
            )
        chosen = found.training if part == "train" else found.validation
        return open_source(chosen, settings, manifest.classes), f"Evaluating {chosen}."
    whole = open_source(place, settings, manifest.classes)
    if part == "all":
        return whole, f"Evaluating all of {place}."
    known = bool(manifest.recipe) and whole.listing_sha256() == manifest.provenance.source_sha256
    if part == "auto" and not known:
        return whole, f"Evaluating all of {place}."
    if not known:
        raise SettingError(
            f"The bundle was not trained on a part of {place} as it is now, so there is no "
            f"{part!r} part of it.",
            next_step="Choose --part all, or give the data set that it was trained on.",
        )
    recorded = recall(manifest)
    parts = split(whole, fraction=recorded.val_fraction, seed=recorded.split_seed)
    if part == "train":
        return parts[0], f"Evaluating the part of {place} that the bundle was trained on."
    return parts[1], (
        f"Evaluating the part of {place} that was held out when the bundle was trained "
        "(--part all takes every picture)."
    )


def recall(manifest: Manifest) -> DataPart:
    """Return how the data set of the bundle's training was read, for another place.

    Columns and delimiter are recalled; the format is found anew. Paths that this machine has not
    are left out: without a label map numbers are positions in the classes of the bundle, which
    stand in the order of the map.
    """
    recorded = DataPart.model_validate((manifest.recipe or {}).get("data", {}))
    return recorded.model_copy(
        update={
            "format": "auto",
            "root": recorded.root if Path(recorded.root).is_dir() else "",
            "label_map": recorded.label_map if Path(recorded.label_map).is_file() else "",
            "multi_label": manifest.task == "multi-label",
        }
    )
