"""Weight files of any maker, read into numpy arrays; nothing of a file is ever run.

The content decides, not the name: safetensors, PyTorch's zip and its older pickle, Paddle's
``.pdparams``, tar archives of those (``archive.py``), and Paddle's inference archives as a tar or
a folder (``inference.py``).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from residua.base.errors import WeightsError
from residua.zoo.weights.files.archive import read_archive
from residua.zoo.weights.files.checkpoint import LEGACY_MAGIC, read_checkpoint
from residua.zoo.weights.files.containers import find_state_dict, strip_prefixes
from residua.zoo.weights.files.inference import Inference, read_inference
from residua.zoo.weights.files.inference_files import is_part, list_folder, require_archive
from residua.zoo.weights.files.unpickle import unpickle

_HEAD = 512  # bytes; a tar header is one block of that size
_HEADER_LIMIT = 100_000_000  # bytes, the limit of the safetensors format itself

Kind = Literal["safetensors", "torch-zip", "torch-legacy", "pickle", "tar"]

# Files that are taken for weights by mistake: how they begin, what they are, what to do.
_MISTAKEN: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Run: git lfs pull"),
    (b"<", "a web page, perhaps the error page of a download", "Download the file again."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first: gunzip FILE"),
    (b"BZh", "compressed with bzip2", "Unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ", "compressed with xz", "Unpack it first: unxz FILE"),
    (b"\x89HDF", "an HDF5 file (Keras)", "Give a PyTorch or Paddle weight file."),
)
_READS = (
    "safetensors, PyTorch (.pth, .pt, .th, .bin), Paddle (.pdparams), tar archives of them, and "
    "Paddle's inference archives"
)


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file's tensors by the names it gives them; ``inference`` if it is an exported program."""

    tensors: dict[str, np.ndarray]
    inference: Inference | None = None


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of ``read_weights``."""
    return read_weights(path).tensors


def read_weights(path: Path) -> WeightFile:
    """Read a weight file, or a folder that is an inference archive (or one file of it).

    Floats of any width become float32; integers keep their type. Containers (``state_dict``,
    ``model``, …) and prefixes that every name has (``module.``, …) are taken off; where an
    exponential average (``model_ema``, …) is saved beside the weights, the average is read.
    Entries that are no tensors are left out.

    Raises WeightsError for a file that is missing, empty, damaged or of another kind, and
    UnsafeFileError for a pickle that holds more than arrays.
    """
    found = _read_folder(path) if path.is_dir() or is_part(path) else _read_any(path)
    if isinstance(found, Inference):
        # Its values are as many as its bytes allow: each record was measured.
        tensors = {name: _as_float32(array) for name, array in found.tensors.items()}
        return WeightFile(tensors, replace(found, tensors=tensors))
    tensors = strip_prefixes(found)
    # Views of one buffer cost nothing until they become float32, each on its own.
    if sum(array.size for array in tensors.values()) > max(path.stat().st_size, 1 << 20):
        raise WeightsError(
            f"{path} is damaged: its tensors are larger than the file.",
            next_step="Get the file again from where it was first published.",
        )
    return WeightFile({name: _as_float32(array) for name, array in tensors.items()})


def _read_folder(path: Path) -> Inference:
    """Read an inference archive that lies open in a folder."""
    archive = require_archive(path)
    folder = path if path.is_dir() else path.parent
    try:
        return read_inference(list_folder(folder), archive, str(path))
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error}).", next_step="Give files that you may read."
        ) from error


def _read_any(path: Path) -> dict[str, np.ndarray] | Inference:
    match _sniff(path):
        case "safetensors":
            return _read_safetensors(path)
        case "torch-zip":
            return read_checkpoint(path, zipped=True)
        case "torch-legacy":
            return read_checkpoint(path, zipped=False)
        case "pickle":
            return _read_pdparams(path)
        case "tar":
            return read_archive(path, _read_plain)


def _read_plain(path: Path) -> dict[str, np.ndarray]:
    """Read the one weight file of an archive, which is no archive itself."""
    found = _read_any(path)
    if isinstance(found, Inference):
        raise WeightsError(
            f"{path} is an archive within an archive.", next_step="Unpack the outer one first."
        )
    return found


def _sniff(path: Path) -> Kind:
    """Tell the kind of a file by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        size = path.stat().st_size
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}).", next_step="Give a weight file."
        ) from error
    if not head:
        raise WeightsError(f"{path} is empty.", next_step="Get the file again.")
    if head.startswith(b"PK\x03\x04"):
        return "torch-zip"
    if head.startswith(LEGACY_MAGIC):
        return "torch-legacy"
    if head[257:262] == b"ustar":
        return "tar"
    if len(head) > 8 and head[8:9] == b"{" and _header_length(head) <= min(size, _HEADER_LIMIT):
        return "safetensors"
    if (head[0] == 0x80 and len(head) > 1 and head[1] <= 5) or path.suffix == ".pdparams":
        return "pickle"
    for beginning, what, next_step in _MISTAKEN:
        if head.startswith(beginning):
            raise WeightsError(f"{path} is {what}.", next_step=next_step)
    raise WeightsError(
        f"{path} is no weight file that residua reads: it reads {_READS}.",
        next_step="Give such a file; if this one should be one, get it again: it is damaged.",
    )


def _header_length(head: bytes) -> int:
    length: int = struct.unpack("<Q", head[:8])[0]
    return length


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file; the library checks header, offsets and length."""
    arrays: dict[str, np.ndarray] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (the file is no dictionary)
                tensor: torch.Tensor = file.get_tensor(name)
                if tensor.is_floating_point():
                    tensor = tensor.to(torch.float32)
                arrays[name] = tensor.numpy().copy()
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is a damaged safetensors file ({str(error)[:200]}).",
            next_step="Get the file again: it is truncated or altered.",
        ) from error
    if not arrays:
        raise WeightsError(f"{path} holds no tensors.", next_step="Give a file with weights.")
    return arrays


def _read_pdparams(path: Path) -> dict[str, np.ndarray]:
    """Read what ``paddle.save`` wrote; see section 2.2 of the PaddleClas reference for its keys."""
    content = unpickle(path)
    if isinstance(content, Mapping):
        content = _join_parts(content, path)
    return find_state_dict(content, _as_paddle_array, path)


def _as_paddle_array(value: Any) -> np.ndarray | None:
    """Take an array, or the array of a (name, array) pair; Paddle keeps bfloat16 as uint16."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[1]
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype == np.uint16:
        return (value.astype(np.uint32) << 16).view(np.float32)
    return value


def _join_parts(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Join the arrays that protocols 2 and 3 made ``paddle.save`` cut: more than 2**30 bytes."""
    joined = dict(content)
    parts = joined.pop("UnpackBigParamInfor@@", None) or {}
    joined.pop("StructuredToParameterName@@", None)
    try:
        for name, how in parts.items():
            pieces = [joined.pop(part) for part in how["slices"]]
            joined[name] = np.concatenate(pieces).reshape(tuple(how["OriginShape"]))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path} says that it holds tensors in parts, but they do not fit ({error}).",
            next_step="Get the file again: it is truncated or altered.",
        ) from error
    return joined


def _as_float32(array: np.ndarray) -> np.ndarray:
    """Return a float array as writable float32 in C order; others as they are."""
    if not np.issubdtype(array.dtype, np.floating):
        return array
    return np.require(array, np.float32, ["C", "W"])
