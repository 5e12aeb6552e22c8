"""Which files make up an inference archive of Paddle, by their names alone.

inference.pdmodel or inference.json   the program (before Paddle 3, and since)
inference.pdiparams                   its tensors, one behind the other, without names
inference.yml, inference_cls.yaml     pixels and classes, as PaddleClas's deployment reads them
imagenet1k_label_list.txt, …          the label list that such a file names

They lie in a folder, or in a tar archive. ``inference.pdiparams.info`` is a pickle and never read.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from residua.base.errors import WeightsError
from residua.base.files import sha256_of

TEXT_LIMIT = 2 << 20  # bytes; the 22,000 labels of ImageNet-22k have 0.7 MB

# How programs and tensors are called, the newest first; * stands for what both have in common.
_PAIRS = (
    ("*.json", "*.pdiparams"),
    ("*.pdmodel", "*.pdiparams"),
    ("__model__", "__params__"),
)
_SETTINGS = ("*.yml", "*.yaml", "inference_cls.yaml", "inference_cls.yml")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a folder or tar archive: its size in bytes, and how to read it."""

    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Archive:
    """The names, among a folder's or a tar archive's, that make up one inference archive."""

    program: str
    parameters: str
    settings: str | None


def find_archives(names: Iterable[str]) -> list[Archive]:
    """Return the inference archives among the names of files; in one folder, a program each."""
    known = set(names)
    found: dict[str, Archive] = {}
    for name in sorted(known):
        for program, parameters in _PAIRS:
            stem = _stem(name, parameters)
            if stem is None or name in found or _named(program, name, stem) not in known:
                continue
            beside = (_named(settings, name, stem) for settings in _SETTINGS)
            settings = next((path for path in beside if path in known), None)
            found[name] = Archive(_named(program, name, stem), name, settings)
    return list(found.values())


def is_part(path: Path) -> bool:
    """Tell whether ``path`` is, by its name, one file of an inference archive."""
    if path.suffix == ".json":
        return path.with_suffix(".pdiparams").is_file()
    return path.suffix in {".pdmodel", ".pdiparams"} or path.name in {"__model__", "__params__"}


def list_folder(path: Path) -> dict[str, Member]:
    """Return the plain files right in a folder."""
    files = [path / name for name in _names_in(path)]
    return {
        file.name: Member(file.stat().st_size, file.read_bytes) for file in files if file.is_file()
    }


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise WeightsError(
            f"The folder {folder} cannot be read ({error.strerror}).",
            next_step="Give a folder that you may read.",
        ) from error


def archive_in(path: Path) -> Archive | None:
    """Return the inference archive of a folder, or of the one that a file is a part of.

    None stands for a folder that looks like none. Raises WeightsError for one that is incomplete
    or holds several.
    """
    folder = path if path.is_dir() else path.parent
    names = _names_in(folder)
    found = find_archives(names)
    if path != folder:
        found = [one for one in found if path.name in {one.program, one.parameters}]
    if len(found) > 1:
        raise WeightsError(
            f"{path} holds {len(found)} programs ({', '.join(one.program for one in found)}).",
            next_step=f"Name one of them: {folder / found[0].program}",
        )
    if not found and (path != folder or any(Path(name).suffix == ".pdmodel" for name in names)):
        raise WeightsError(
            f"{path} is part of an inference archive, but there is no program with its tensors in "
            f"{folder}: inference.json or inference.pdmodel, and inference.pdiparams.",
            next_step="Bring the files together that were exported together.",
        )
    return found[0] if found else None


def require_archive(path: Path) -> Archive:
    """Return the inference archive of a folder or of a part; raises WeightsError for none."""
    archive = archive_in(path)
    if archive is None:
        raise WeightsError(
            f"{path} is a folder, and no inference archive of Paddle.",
            next_step="Give a weight file, or a folder with inference.pdmodel or inference.json "
            "and inference.pdiparams.",
        )
    return archive


def digest_of(folder: Path, archive: Archive) -> str:
    """Return a SHA-256 over names and contents of all that decides about the bundle."""
    parts = [archive.program, archive.parameters]
    if archive.settings:
        lists = list_folder(folder).items()
        parts += [archive.settings]
        parts += [n for n, m in lists if n.endswith(".txt") and m.size <= TEXT_LIMIT]
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in parts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _stem(name: str, pattern: str) -> str | None:
    """Return what ``*`` stands for in the last part of a name, or None."""
    last, tail = PurePosixPath(name).name, pattern.removeprefix("*")
    if not pattern.startswith("*"):
        return "" if last == pattern else None
    return last.removesuffix(tail) if last.endswith(tail) and last != tail else None


def _named(pattern: str, beside: str, stem: str) -> str:
    """Return the name that the pattern stands for, in the folder of another."""
    return str(PurePosixPath(beside).with_name(pattern.replace("*", stem)))
