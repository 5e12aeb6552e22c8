"""What a weight file holds, in our names and terms: tensors, and perhaps pixels and classes.

Tensors alone say neither; an inference archive of Paddle may do so (``deployment.py``).
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.schema import Architecture, Classes
from residua.zoo.block import EXPANSION
from residua.zoo.weights.deployment import Deployment, read_deployment
from residua.zoo.weights.files.inference import Inference
from residua.zoo.weights.files.read import read_weights
from residua.zoo.weights.names.convert import Converted, convert
from residua.zoo.weights.names.detect import detect_row

Head = Literal["keep", "new"]


@dataclass(frozen=True, slots=True)
class Content:
    """A weight file, read.

    ``preprocess`` holds the fields of Preprocess that the file tells, ``classes`` its classes if it
    names them, ``missing`` sentences about what it refers to and has not. ``single_label``: one
    class a picture.
    """

    converted: Converted
    preprocess: dict[str, Any]
    classes: Classes | None
    single_label: bool
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def read_content(
    source: Path, row: Architecture | None, *, head: Head = "keep", classes: Classes | None = None
) -> Content:
    """Read a weight file or the folder of an inference archive, if asked with a new head.

    ``row`` None lets the tensors, or the program that computes with them, say which network it is;
    a new head is one for ``classes``. Raises what the importers raise.
    """
    file = read_weights(source)
    program = file.inference.program if file.inference else None
    row = row or detect_row(file.tensors, source.name, program)
    if head == "new":
        if classes is None:
            raise SettingError(
                "A new classifier needs to know its classes.",
                next_step="Give --classes FILE with one name a line, or --num-classes N.",
            )
        row = row.model_copy(update={"num_classes": len(classes)})
    converted = convert(file.tensors, row, head=head, program=program)
    said = _read_settings(file.inference)
    if said.zero_channel and converted.row.input_channels == 4:
        converted = _without_zeros(converted)
    notes = (f"tensors named as in {converted.naming}", *converted.notes)
    if head == "new":
        converted.tensors.update(_draw_head(converted.row))
        return Content(converted, said.preprocess, None, True, notes, ())
    return Content(
        converted,
        said.preprocess,
        said.classes,
        not converted.multi_label,
        (*notes, *said.notes),
        said.missing,
    )


def _read_settings(inference: Inference | None) -> Deployment:
    """Return what an inference archive tells of pixels and classes: in words, or by its input.

    A program for 320 pixels gets pictures of 366 on the short side, as 256 are cut to 224
    (PaddleClas's FAQ).
    """
    if inference is None:
        return Deployment()
    said = Deployment()
    if inference.settings:
        said = read_deployment(
            inference.settings, inference.settings_name, inference.read_label_list
        )
    sides = inference.program.input_shape[2:4]
    if said.preprocess or len(sides) != 2 or min(sides) <= 0 or sides[0] != sides[1]:
        return said
    pixels = {"crop_size": sides[0], "short_side": round(sides[0] * 256 / 224)}
    return replace(said, preprocess=pixels)


def _without_zeros(converted: Converted) -> Converted:
    """Leave out what the first convolution does with a fourth channel that is always zero."""
    stem = converted.tensors["stem.0.conv.weight"]
    return replace(
        converted,
        tensors=converted.tensors | {"stem.0.conv.weight": np.ascontiguousarray(stem[:, :3])},
        row=converted.row.model_copy(update={"input_channels": 3}),
        notes=(*converted.notes, "The network's fourth channel, always zero, was left out."),
    )


def _draw_head(row: Architecture) -> dict[str, np.ndarray]:
    """Return a fresh classifier, as ``zoo.create`` draws it; the same one at every import."""
    features = row.widths[-1] * EXPANSION[row.block]
    bound = 1 / math.sqrt(features)
    draw = np.random.default_rng(0).uniform(-bound, bound, (row.num_classes, features))
    return {
        "head.weight": draw.astype(np.float32),
        "head.bias": np.zeros(row.num_classes, np.float32),
    }
