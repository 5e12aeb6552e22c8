"""Which pictures of a folder an evaluation is about: never, unasked, those trained on."""

from pathlib import Path
from typing import Literal

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.schema import Manifest
from residua.data.folder import has_parts, read_folder
from residua.data.source import Source
from residua.data.split import split

Part = Literal["auto", "all", "train", "val"]
PARTS: tuple[Part, ...] = ("auto", "all", "train", "val")


def open_part(folder: Path, manifest: Manifest, part: str = "auto") -> tuple[Source, str]:
    """Return the pictures to evaluate, with the classes of the bundle, and a sentence on which.

    "val" and "train" are the folders of these names, or else the parts that the bundle's training
    split off. "auto" is "val" where there are such folders, or where the bundle was trained on a
    part of this very folder; else it is "all".
    """
    if part not in PARTS:
        raise UnknownNameError("part", part, PARTS)
    if has_parts(folder):
        if part == "all":
            raise SettingError(
                f"{folder} is divided into train/ and val/; there is no whole to evaluate.",
                next_step="Choose --part val or --part train.",
            )
        name = "train" if part == "train" else "val"
        return read_folder(folder / name, manifest.classes), f"Evaluating {folder / name}."
    whole = read_folder(folder, manifest.classes)
    if part == "all":
        return whole, f"Evaluating all of {folder}."
    known = bool(manifest.recipe) and whole.listing_sha256() == manifest.provenance.source_sha256
    if part == "auto" and not known:
        return whole, f"Evaluating all of {folder}."
    if not known:
        raise SettingError(
            f"The bundle was not trained on a part of {folder} as it is now, so there is no "
            f"{part!r} part of it.",
            next_step="Choose --part all, or give the folder that it was trained on.",
        )
    settings = (manifest.recipe or {})["data"]
    parts = split(whole, fraction=settings["val_fraction"], seed=settings["split_seed"])
    if part == "train":
        return parts[0], f"Evaluating the part of {folder} that the bundle was trained on."
    return parts[1], (
        f"Evaluating the part of {folder} that was held out when the bundle was trained "
        "(--part all takes every picture)."
    )
