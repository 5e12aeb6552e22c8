"""What of the catalogue is here: listed, checked and removed."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from residua.base.errors import ResiduaError, WeightsError
from residua.base.files import locked
from residua.base.nearest import normalize
from residua.bundle.store import read_bundle
from residua.zoo.count import stored_counts
from residua.zoo.weights.cache import (
    bundle_path,
    cache_folder,
    find_bundle,
    find_file,
    record_path,
    verify,
    weights_folder,
)
from residua.zoo.weights.catalogue import Entry, NotEqual, entries, find_entry, not_equal


def list_entries(pattern: str = "") -> list[dict[str, Any]]:
    """Return a record for each entry whose name, row or alias contains ``pattern``.

    ``bytes`` is the size of the file that is here, else estimated from the parameters at four bytes
    each (``estimated``).
    """
    return [
        _describe(entry)
        for entry in entries()
        if _contains(pattern, entry.name, entry.row, *entry.aliases)
    ]


def list_not_equal(pattern: str = "") -> list[NotEqual]:
    """Return what is published for other networks under names like those that match."""
    return [other for other in not_equal() if _contains(pattern, other.near, *other.names)]


def _contains(pattern: str, *names: str) -> bool:
    return any(normalize(pattern) in normalize(name) for name in names)


def _describe(entry: Entry) -> dict[str, Any]:
    path = find_file(entry)
    bundle = find_bundle(entry)
    size = path.stat().st_size if path else 4 * stored_counts()[entry.row].params
    return {
        "name": entry.name,
        "row": entry.row,
        "top1": entry.top1,
        "top5": entry.top5,
        "image_size": entry.preprocess.crop_size,
        "bytes": size,
        "estimated": path is None,
        "licence": entry.licence,
        "source": entry.source,
        "file_name": entry.file,
        "file": str(path) if path else None,
        "bundle": str(bundle) if bundle else None,
        "urls": list(entry.urls),
        "sha256": entry.sha256 or entry.sha256_prefix,
        "aliases": list(entry.aliases),
        "note": entry.note,
    }


def check(entry: Entry) -> Iterator[tuple[Path, str]]:
    """Verify the entry's file and bundle, where they are here: path and complaint, "" if good."""
    if path := find_file(entry):
        yield path, _complaint(lambda: verify(entry, path))
    if bundle := find_bundle(entry):
        yield bundle, check_bundle(bundle)


def locate(entry: Entry, *, bundle: bool = False) -> Path:
    """Return where the entry's file, or its bundle, lies; raises WeightsError where it is not."""
    found = find_bundle(entry) if bundle else find_file(entry)
    if found is None:
        raise WeightsError(
            f"The {'bundle' if bundle else 'file'} of {entry.name} is not on this machine.",
            next_step=f"Fetch it: residua weights pull {entry.name}",
        )
    return found


def check_bundle(path: Path) -> str:
    """Verify every file of a bundle against its manifest; returns the complaint, "" if good."""
    return _complaint(lambda: read_bundle(path).verify())


def _complaint(work: Callable[[], object]) -> str:
    try:
        work()
    except ResiduaError as error:
        return error.problem
    return ""


def remove(names: Sequence[str], *, forget: bool = False) -> list[tuple[Path, int]]:
    """Delete files, parts and bundles of ``names`` from the cache: what was deleted, its bytes.

    The record of a file's SHA-256 stays, so that it cannot come back as another file, unless
    ``forget``. The search path is read-only and stays as it is.
    """
    deleted = []
    for entry in [find_entry(name) for name in names]:
        file = weights_folder() / entry.file
        part = file.with_name(f"{file.name}.part")
        found = [file, part, part.with_name(f"{part.name}.json"), bundle_path(entry.name)]
        found += [record_path(entry)] if forget else []
        if any(path.exists() for path in found):
            with locked(weights_folder() / f".{entry.file}.lock"):
                deleted += [(path, _delete(path)) for path in found if path.exists()]
    return deleted


def remove_all() -> list[tuple[Path, int]]:
    """Delete every weight file, record and bundle in the cache: what was deleted, its bytes."""
    folders = [cache_folder() / name for name in ("weights", "bundles")]
    return [(path, _delete(path)) for path in folders if path.exists()]


def _delete(path: Path) -> int:
    """Delete a file or folder; returns how many bytes it held."""
    files = path.rglob("*") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return size
