"""PyTorch's files, the zip of today and the older pickle, read with ``weights_only``."""

import argparse
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.weights.files.containers import find_state_dict

# The first bytes of the older format: a pickle of torch's magic number, in protocol 2.
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

# What torch's restricted unpickler says of files that want more than tensors
# (torch/_weights_only_unpickler.py); everything else that it raises means a damaged file.
_UNSAFE_WORDS = ("unsupported", "unrecognized function", "can only create", "can only build",
                 "only persistent_load", "must be imported")  # fmt: skip

# What training scripts (torchvision's references, timm's) save beside the tensors: their options
# and figures. These types only hold data; numpy before version 2 wrote another path for the scalar.
_SCALAR = np.float64(0).__reduce__()[0]
_RECORDS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    *(type(np.dtype(name)) for name in ("f2", "f4", "f8", "i4", "i8", "?")),
]

_DAMAGE = (
    OSError, RuntimeError, EOFError, LookupError, TypeError, AttributeError, ValueError,
    ArithmeticError, MemoryError, AssertionError, struct.error, zipfile.BadZipFile,
    pickle.UnpicklingError,
)  # fmt: skip


def read_checkpoint(path: Path, *, zipped: bool) -> dict[str, np.ndarray]:
    """Return the tensors of a ``.pth``, ``.pt``, ``.th`` or ``.bin``; floats become float32.

    Raises UnsafeFileError for a pickle that wants more than tensors, WeightsError for a damaged
    file, a TorchScript program, or one whose tensors are larger than the file can hold.
    """
    if zipped:
        _check_zip(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_RECORDS):
            # It warns of what is unusual in a file; here that is an error or of no interest.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except _DAMAGE as error:
        raise _explained(path, error) from error
    budget = 4 * path.stat().st_size  # float8 grows by four, float16 and bfloat16 by two
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in find_state_dict(content, _as_tensor, path).items():
        _check_plain(path, name, tensor)
        budget -= tensor.numel() * 4
        if budget < 0:
            raise _damaged(path, "its tensors are larger than the file")
        arrays[name] = _as_array(tensor)
    return arrays


def _as_tensor(value: Any) -> torch.Tensor | None:
    return value.detach() if type(value) in {torch.Tensor, torch.nn.Parameter} else None


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    """Copy the tensor out of the file, so that the result outlives it."""
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
    return tensor.contiguous().numpy().copy()


def _check_plain(path: Path, name: str, tensor: torch.Tensor) -> None:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise WeightsError(
            f"{path}: {name} is a sparse, quantised or complex tensor.",
            next_step="Give the float weights that it was made from.",
        )
    if tensor.device.type != "cpu":
        raise _damaged(path, f"{name} has a shape but no content")


def _check_zip(path: Path) -> None:
    """Refuse zips that torch.save does not write: compressed (bombs), programs, others."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error
    names = [member.filename.rsplit("/", 1)[-1] for member in members]
    if "constants.pkl" in names:
        raise WeightsError(
            f"{path} is a TorchScript program, not a state dict.",
            next_step="Save its tensors: torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE)",
        )
    if "data.pkl" not in names:
        raise WeightsError(
            f"{path} is a zip archive, but not one that torch.save wrote.",
            next_step="Unpack it and give the weight file inside.",
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise _damaged(path, "its members are compressed, which torch.save never does")


def _explained(path: Path, error: Exception) -> WeightsError:
    said = str(error)
    if isinstance(error, pickle.UnpicklingError) and any(
        words in said.lower() for words in _UNSAFE_WORDS
    ):
        # torch says it in the line that names what is wanted, between advice on switching off.
        lines = [
            line for line in said.splitlines() if any(w in line.lower() for w in _UNSAFE_WORDS)
        ]
        detail = lines[0].rpartition("WeightsUnpickler error: ")[2].partition(". ")[0].strip()
        return UnsafeFileError(
            f"{path} is a pickle that holds more than tensors ({detail[:200]}). "
            "Nothing of it was run.",
            next_step="If you trust where it comes from, load it with the program that wrote it, "
            "and save its state_dict() alone, best as .safetensors.",
        )
    return _damaged(path, (said.splitlines() or [type(error).__name__])[0][:200])


def _damaged(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"{path} is a damaged PyTorch file ({what}).",
        next_step="Get the file again: it is truncated or altered.",
    )
