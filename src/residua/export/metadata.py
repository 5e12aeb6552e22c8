"""What an artefact says of itself, where its format has a place for text."""

import json
from pathlib import Path

import cv2
import PIL

from residua.base.version import __version__
from residua.bundle.schema import Manifest, Preprocess, Takes
from residua.bundle.store import WEIGHTS


def name_resizer(preprocess: Preprocess, takes: Takes) -> dict[str, str]:
    """Return the library, with its version, that an artefact of whole pictures resizes like."""
    if takes == "crop":
        return {}
    if preprocess.resampler == "pillow":
        return {"pillow": PIL.__version__}
    return {"opencv": cv2.__version__}


def describe(manifest: Manifest, takes: Takes = "crop") -> dict[str, str]:
    """Return names and texts: classes and preprocessing as JSON, the rest in words.

    Whoever has the file alone can use it: ``input`` says what goes in, ``preprocess`` how a picture
    becomes that, ``classes`` what the outputs are called, in order.
    """
    preprocess = manifest.preprocess
    side, channels = preprocess.crop_size, preprocess.channels
    shape = f"[N, {side}, {side}, {channels}]"
    if takes == "image":
        shape = f"[N, height, width, {channels}], whole pictures of any size, {preprocess.colour}"
    return {
        "model": manifest.architecture.name,
        "classes": json.dumps(list(manifest.classes.names), ensure_ascii=False),
        "class_ids": json.dumps(list(manifest.classes.ids), ensure_ascii=False),
        "preprocess": preprocess.model_dump_json(),
        "input": f"image: {shape}, values 0…255, not normalised",
        "output": f"probabilities: [N, {len(manifest.classes)}], {manifest.task}",
        "temperature": repr(manifest.calibration.temperature),
        "weights_sha256": manifest.files[WEIGHTS].sha256,
        "licence": manifest.licence,
        "made_by": f"residua {__version__}",
    }


def save_description(manifest: Manifest, folder: Path) -> None:
    """Write ``model.json`` with these texts into ``folder``: for formats without such a place."""
    text = json.dumps(describe(manifest), indent=1, ensure_ascii=False)
    (folder / "model.json").write_text(f"{text}\n", encoding="utf-8")
