"""The row of the table that a weight file belongs to, by names and shapes."""

import re
from collections.abc import Mapping
from pathlib import PurePath

import numpy as np

from residua.base.errors import WeightsError, WeightsMismatchError
from residua.bundle.schema import Architecture
from residua.zoo.table import ROWS
from residua.zoo.weights.names.convert import convert, expected_shapes, fit_row, lacks_projection
from residua.zoo.weights.names.program import computed_differences
from residua.zoo.weights.names.recognise import Recognised, recognise
from residua.zoo.weights.names.torchvision import is_cifar_scheme
from residua.zoo.weights.program.record import Program

# Networks whose tensors are those of a row in name and shape, and that only the file's name tells.
_FOREIGN = (
    (r"resne(x)?taa|resne(x)?tblur", "an anti-aliased network (pools instead of strides)"),
    (r"last_stage_stride1", "a network whose last stage keeps its size"),
    (r"adaptive_max_pool", "a network that ends in a max pool"),
    (r"caffe|msra|[_-]v1a\b", "a network that strides in the first 1x1 of a block"),
    (r"deeplab|fcn_|dilated", "a network of dilated convolutions"),
)

_SAY_WHICH = "Say which it is with --architecture NAME."


def detect_row(
    tensors: Mapping[str, np.ndarray], filename: str = "", program: Program | None = None
) -> Architecture:
    """Return the row that the tensors belong to, with their number of classes and channels.

    Where two rows have the same shapes (vc and vd) the naming decides, else ``filename``; an
    exported ``program`` decides alone, whatever its file is called. Raises WeightsMismatchError
    with the differences to the nearest row where none fits, and WeightsError where several fit or
    the file name tells of a network outside the table.
    """
    filename = filename if program is None else ""
    refuse_foreign(filename)
    found = recognise(tensors, program)
    rows = _rows_of_like_depth(found)
    fitting = [row for row in rows if _fits(row, found)]
    if not fitting:
        raise _nothing_fits(tensors, rows, found, program)
    by_name = [row for row in fitting if _variant_in(filename) in {"", _variant(row)}]
    if len(by_name) == 1:
        return fit_row(by_name[0], found)
    names = ", ".join(row.name for row in fitting)
    problem = (
        f"These tensors fit {names}: their shapes are the same, and neither the tensors' names "
        f"nor the file's name ({filename or 'none'}) say which it is."
        if by_name
        else f"The tensors are those of {names}, but the file is named {filename}."
    )
    raise WeightsError(problem, next_step=_SAY_WHICH)


def refuse_foreign(filename: str) -> None:
    """Raise WeightsError if a file's name tells of a network that only looks like one of ours."""
    name = PurePath(filename).name.casefold()
    for pattern, what in _FOREIGN:
        if re.search(pattern, name):
            raise WeightsError(
                f"{filename} is, by its name, of {what}: its tensors look like those of a network "
                "of the table, but would compute something else.",
                next_step="Give weights of a network that `residua models` lists; if the name is "
                "misleading, say which network it is with --architecture NAME.",
            )


def _rows_of_like_depth(found: Recognised) -> list[Architecture]:
    """Rows with the file's kind of block and number of blocks; their stem is made the file's.

    A single 3x3 is the stem for small images, which has no max pool behind it. Only names of the
    CIFAR networks, or our own, say that there is none in the file's network either.
    """
    depths, block = _depths(found), _block(found)
    rows = [row for row in ROWS.values() if row.depths == depths and row.block == block]
    stem = found.shapes.get("stem.0.conv.weight", ())
    small = stem[2:] == (3, 3) and "stem.1.conv.weight" not in found.tensors
    if not small or any(row.stem == "3x3" for row in rows):
        return rows
    if found.named.convolutions is not None:  # a program that pools behind it
        return []
    if found.named.scheme != "residua" and not is_cifar_scheme(list(found.sources.values())):
        raise WeightsError(
            "The stem of these weights is a single 3x3 convolution, as networks for small images "
            "have it; the file does not tell whether a max pool follows.",
            next_step="Only such networks without a max pool, with their classifier named "
            "`linear`, can be imported.",
        )
    small_stem = {"stem": "3x3", "stem_widths": (stem[0],)}
    return [row.model_copy(update=small_stem) for row in rows if row.stem == "7x7"]


def _fits(row: Architecture, found: Recognised) -> bool:
    """Compare all shapes; a missing classifier or first projection is no objection."""
    expected = dict(expected_shapes(fit_row(row, found)))
    optional: tuple[str, ...] = ()
    if not any(name.startswith("head.") for name in found.tensors):
        optional += ("head.",)
    if lacks_projection(row, found):
        optional += ("stages.0.0.shortcut.",)
    expected = {name: shape for name, shape in expected.items() if not name.startswith(optional)}
    average = found.named.average
    return (
        expected == found.shapes
        and average in {None, row.shortcut == "average"}
        and not computed_differences(found.named, row)
    )


def _depths(found: Recognised) -> tuple[int, ...]:
    """The number of blocks of each stage."""
    blocks = {tuple(name.split(".")[1:3]) for name in found.tensors if name.startswith("stages.")}
    stages = [int(stage) for stage, _ in blocks]
    return tuple(stages.count(stage) for stage in range(max(stages) + 1))


def _block(found: Recognised) -> str:
    if any(".split." in name for name in found.tensors):
        return "res2net"
    return "bottleneck" if any(".conv2." in name for name in found.tensors) else "basic"


def _variant(row: Architecture) -> str:
    """Return "c" or "d" for a row with a deep stem, "b" for one without."""
    if row.stem != "deep":
        return "b"
    return "d" if row.shortcut == "average" else "c"


def _variant_in(filename: str) -> str:
    """Return the variant that a file name tells: ``_vd``, ``_vc``, ``resnet50d``; "" if none."""
    name = PurePath(filename).name.casefold()
    found = re.search(r"(?:[_\-]v|resnet\d+_?|resnext\d+_?)([cd])(?![a-z0-9])", name)
    return found[1] if found else ""


def _distance(row: Architecture, found: Recognised) -> tuple[int, bool, int]:
    """How far the file is from a row: names first, then the kind of shortcut, then shapes."""
    expected, average = expected_shapes(fit_row(row, found)), found.named.average
    return (
        len(expected.keys() ^ found.shapes.keys()),
        average is not None and average != (row.shortcut == "average"),
        len(expected.items() ^ found.shapes.items()),
    )


def _nothing_fits(
    tensors: Mapping[str, np.ndarray],
    rows: list[Architecture],
    found: Recognised,
    program: Program | None,
) -> WeightsError:
    """The error that shows how the nearest row differs."""
    what = f"{_block(found)} blocks, {' + '.join(map(str, _depths(found)))} of them"
    if not rows:
        return WeightsError(
            f"No network of the table has these tensors ({what}).",
            next_step="All networks: residua models",
        )
    nearest = min(rows, key=lambda row: _distance(row, found))
    try:
        convert(tensors, nearest, program=program)
    except WeightsMismatchError as error:
        return WeightsMismatchError(
            f"No network of the table has these tensors ({what}). The nearest is {nearest.name}:",
            error.differences,
            next_step="All networks: residua models",
        )
    raise AssertionError(f"{nearest.name} fits and does not fit")
