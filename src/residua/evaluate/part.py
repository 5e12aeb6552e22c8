"""Which pictures of a data set an evaluation is about, and whether they were trained on.

Of a data set that the bundle's training divided, those trained on are left out unless asked for.
Where they are evaluated all the same, or may be, the sentence on the pictures says so.
"""

import re
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
_TRAINED_ON = (
    "These are the pictures that the bundle was trained on: the figures say little about others."
)
_AMONG = (
    "The pictures that the bundle was trained on are among them: the figures say little about "
    "others."
)
_PERHAPS = "Pictures that the bundle was trained on may be among them."
_HELD_OUT = re.compile("(val|valid|validation|dev|test|testing)([-_.].*)?", re.IGNORECASE)


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
        source = open_source(chosen, settings, manifest.classes)
        return source, _tell(f"Evaluating {chosen}.", source, manifest, doubtful=part == "train")
    whole = open_source(place, settings, manifest.classes)
    known = _was_split(whole, manifest)
    if part == "all" or (part == "auto" and not known):
        return whole, _tell(f"Evaluating all of {place}.", whole, manifest, doubtful=True)
    if not known:
        raise SettingError(
            f"The bundle was not trained on a part of {place} as it is now, so there is no "
            f"{part!r} part of it.",
            next_step="Choose --part all, or give the data set that it was trained on.",
        )
    recorded = recall(manifest)
    parts = split(whole, fraction=recorded.val_fraction, seed=recorded.split_seed)
    if part == "train":
        return parts[0], f"Evaluating the training part of {place}. {_TRAINED_ON}"
    return parts[1], (
        f"Evaluating the part of {place} that was held out when the bundle was trained "
        "(--part all takes every picture)."
    )


def was_trained_on(source: Source, manifest: Manifest) -> bool:
    """Tell whether the bundle was trained on ``source``, or on a part that was split off it.

    Known by the fingerprint of the listing, which knows names and labels but no pixels; so where
    the parts of a data set name their pictures alike, one that is called "val" or the like is not
    taken for the training part. A bundle of before the fingerprint goes by the title.
    """
    return _is_training(source, manifest) or _was_split(source, manifest)


def _is_training(source: Source, manifest: Manifest) -> bool:
    origin = manifest.provenance
    if not manifest.recipe:
        return False
    if not origin.training_sha256:
        return bool(origin.source) and source.title == origin.source
    if source.listing_sha256() != origin.training_sha256:
        return False
    return source.title == origin.source or not _HELD_OUT.fullmatch(Path(source.title).name)


def _was_split(source: Source, manifest: Manifest) -> bool:
    """Tell whether the training and its validation part were split off ``source``."""
    recorded = manifest.provenance.source_sha256
    return bool(manifest.recipe and recorded) and source.listing_sha256() == recorded


def _tell(sentence: str, source: Source, manifest: Manifest, *, doubtful: bool) -> str:
    """Add to ``sentence`` what is known, or if ``doubtful`` feared, of pictures trained on."""
    if _is_training(source, manifest):
        return f"{sentence} {_TRAINED_ON}"
    if _was_split(source, manifest):
        return f"{sentence} {_AMONG}"
    return f"{sentence} {_PERHAPS}" if doubtful and manifest.recipe else sentence


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
