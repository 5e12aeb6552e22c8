"""Checkpoints: whole or absent, checked when read, few of them kept.

NAME.run/checkpoints/
    00000240/                   the number of updates done
        state.json              position, history, best, settings of the computation; the SHA-256
                                of state.safetensors
        state.safetensors       network, optimiser, average
    00000360/                   the newest; the last two stay (recipe: output.keep)

A folder is written under another name, flushed to disk, and renamed. One that is half written, or
altered, or cannot be read, is passed over with a sentence, and the one before it is used.
"""

import errno
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from residua.base.errors import CheckpointError
from residua.base.files import replacing_folder, sha256_of

_NUMBERS, _TENSORS = "state.json", "state.safetensors"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was read: tensors by name and plain values."""

    path: Path
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]


def write_checkpoint(
    folder: Path, updates: int, tensors: dict[str, Tensor], numbers: dict[str, Any], *, keep: int
) -> Path:
    """Write a checkpoint below ``folder`` and remove all but the newest ``keep``.

    Raises CheckpointError where the disk is full or refuses; older checkpoints are untouched then.
    """
    target = folder / f"{updates:08}"
    try:
        with replacing_folder(target) as scratch:
            plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
            save_file(plain, scratch / _TENSORS)
            content = {"version": _VERSION, "sha256": sha256_of(scratch / _TENSORS), **numbers}
            (scratch / _NUMBERS).write_text(json.dumps(content), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint {target} could not be written: {spell_reason(error)}.",
            next_step=_say_older(folder),
        ) from error
    for old in list_checkpoints(folder)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _say_older(folder: Path) -> str:
    if older := list_checkpoints(folder):
        return f"Free some space. The checkpoint before it, {older[0].name}, is still there."
    return "Free some space: nothing of this run is on disk yet."


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints below ``folder``, newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def read_newest(folder: Path) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """Return the newest checkpoint that can be read, and why newer ones cannot.

    None where there is no checkpoint at all. Raises CheckpointError where there are some and none
    can be read.
    """
    problems: list[str] = []
    for path in list_checkpoints(folder):
        try:
            return read_checkpoint(path), tuple(problems)
        except CheckpointError as error:
            problems.append(error.problem)
    if problems:
        raise CheckpointError("\n".join(problems), next_step="Start the run anew with --restart.")
    return None, ()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check one checkpoint; raises CheckpointError that says what is wrong with it."""
    try:
        numbers = json.loads((path / _NUMBERS).read_text(encoding="utf-8"))
        if numbers["version"] != _VERSION:
            raise _damaged(path, f"was written in format {numbers['version']} by another residua")
        if numbers["sha256"] != sha256_of(path / _TENSORS):
            raise _damaged(path, f"has a {_TENSORS} with another content than was written")
        return Checkpoint(path, load_file(path / _TENSORS), numbers)
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _damaged(path, "is damaged: it was cut off or altered") from error


def remove_strays(folder: Path) -> None:
    """Remove what writes that were cut off have left."""
    for path in _strays(folder):
        shutil.rmtree(path, ignore_errors=True)


def _strays(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.name.startswith("."))


def spell_reason(error: Exception) -> str:
    """Return why something could not be written, a full disk by name."""
    if isinstance(error, OSError):
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        return "the disk is full" if full else error.strerror or str(error)
    return "the disk is full" if "No space left" in str(error) else str(error)


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"The checkpoint {path} {what}.")
