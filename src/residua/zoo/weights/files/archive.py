"""Tar archives of weights, read member by member; nothing is ever unpacked to a place they name.

NAME_pretrained.tar   Paddle 1.x: a folder with one file per variable
NAME_infer.tar        an exported program: inference.pdmodel or .json, inference.pdiparams
anything.tar          one .pdparams, .pth, .pt, .th, .bin or .safetensors
"""

import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.weights.files.inference import Inference, read_inference
from residua.zoo.weights.files.inference_files import Member, find_archives
from residua.zoo.weights.files.lodtensor import read_records
from residua.zoo.weights.names.static import is_static_name
from residua.zoo.weights.program.protobuf import RecordError

_MOST_MEMBERS = 20_000  # a ResNet200_vd of Paddle 1.x has 1027 files
_WEIGHT_SUFFIXES = (".pdparams", ".safetensors", ".pth", ".pt", ".th", ".bin")
_CHUNK = 1 << 20

ReadFile = Callable[[Path], dict[str, np.ndarray]]


def read_archive(path: Path, read_file: ReadFile) -> dict[str, np.ndarray] | Inference:
    """Return what a tar archive holds: tensors, or an exported program with its tensors.

    ``read_file`` reads a weight file inside it. Raises UnsafeFileError for an archive with links or
    with names that lead out of it, and WeightsError for one that is damaged or holds no weights.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = _list_members(archive, path)
        return _read_members(path, members, read_file)
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    except RecordError as error:
        raise _damaged(path, str(error)) from error


def _list_members(archive: tarfile.TarFile, path: Path) -> dict[str, tarfile.TarInfo]:
    """Return the regular files by name, after looking at every member's kind, name and size."""
    size = path.stat().st_size
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(archive):
        place = PurePosixPath(member.name)
        if count >= _MOST_MEMBERS:
            raise _unsafe(path, f"has more than {_MOST_MEMBERS} members")
        if place.is_absolute() or ".." in place.parts or "\\" in member.name:
            raise _unsafe(path, f"has a member that leads out of it: {member.name[:100]!r}")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise _unsafe(path, f"has a member that is no plain file: {member.name[:100]!r}")
        if member.name in members:
            raise _unsafe(path, f"has two members of one name: {member.name[:100]!r}")
        if member.offset_data + member.size > size:
            raise _damaged(path, f"it ends in the middle of {member.name[:100]!r}")
        # macOS writes a companion "._NAME" beside each file.
        if not place.name.startswith("."):
            members[member.name] = member
    return members


def _read_members(
    path: Path, members: dict[str, tarfile.TarInfo], read_file: ReadFile
) -> dict[str, np.ndarray] | Inference:
    archives = find_archives(members)
    alone = [name for name in members if name.endswith(".pdmodel")]
    weights = [name for name in members if name.endswith(_WEIGHT_SUFFIXES)]
    variables = {
        PurePosixPath(name).name: member
        for name, member in members.items()
        if is_static_name(PurePosixPath(name).name)
    }
    if len(archives) == 1:
        files = {name: _member(path, member) for name, member in members.items()}
        return read_inference(files, archives[0], str(path))
    if not archives and len(alone) == 1:
        raise WeightsError(
            f"{path} holds the program {alone[0]}, but not its tensors "
            f"{alone[0].removesuffix('.pdmodel')}.pdiparams.",
            next_step="Give the training weights (NAME_pretrained.pdparams) instead.",
        )
    if len(weights) == 1:
        return _read_weight_file(path, members[weights[0]], read_file)
    if variables:
        tensors: dict[str, np.ndarray] = {}
        for name, member in variables.items():
            tensors |= read_records(_content(path, member), [name])
        return tensors
    raise WeightsError(
        f"{path} is an archive of {len(members)} files, but none, or more than one, is a weight "
        f"file that residua reads ({', '.join(list(members)[:5])}).",
        next_step="Unpack it and give the weight file inside.",
    )


def _read_weight_file(
    path: Path, member: tarfile.TarInfo, read_file: ReadFile
) -> dict[str, np.ndarray]:
    """Copy one member into a temporary file of our own naming and read that."""
    with tempfile.TemporaryDirectory(prefix="residua-") as folder:
        copy = Path(folder) / f"member{PurePosixPath(member.name).suffix}"
        with path.open("rb") as source, copy.open("wb") as target:
            source.seek(member.offset_data)
            left = member.size
            while left and (chunk := source.read(min(left, _CHUNK))):
                target.write(chunk)
                left -= len(chunk)
        try:
            return read_file(copy)
        except WeightsError as error:
            problem = error.problem.replace(str(copy), f"{path}, in it {member.name},")
            raise type(error)(problem, next_step=error.next_step) from error


def _member(path: Path, member: tarfile.TarInfo) -> Member:
    return Member(member.size, lambda: _content(path, member))


def _content(path: Path, member: tarfile.TarInfo) -> bytes:
    with path.open("rb") as file:
        file.seek(member.offset_data)
        return file.read(member.size)


def _unsafe(path: Path, what: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path} is an archive that {what}. Nothing of it was unpacked.",
        next_step="Get the archive from where it was first published.",
    )


def _damaged(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"{path} is a damaged archive ({what}).",
        next_step="Get the file again: it is truncated or altered.",
    )
