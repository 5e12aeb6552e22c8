"""Exports of a bundle on disk: names, files, and how one gets in, whole or not at all.

exports/
  reference.safetensors   what the network answers to the probes (engines/probes.py)
  onnx/model.onnx         one folder an export, named FORMAT[-PRECISION][-image]
  openvino-int8/…         with answers.safetensors, see engines/reference.py
"""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from residua.base.errors import BundleError
from residua.base.files import replacing_folder, sha256_of, write_atomic
from residua.bundle.schema import Export, FileRecord
from residua.bundle.store import Bundle, amend_bundle, read_bundle

EXPORTS = "exports"
REFERENCE = f"{EXPORTS}/reference.safetensors"
# Beside an int8 artefact: its own answers to the probes where it was made.
ANSWERS = "answers.safetensors"
_STALE = 3600.0  # seconds; longer than any export takes


def name_export(kind: str, precision: str = "fp32", takes: str = "crop") -> str:
    """Return the name of an export, which is that of its folder as well: "onnx-int8-image"."""
    parts = [kind, *([precision] if precision != "fp32" else [])]
    return "-".join([*parts, *(["image"] if takes == "image" else [])])


def find_export(bundle: Bundle, kind: str, precision: str = "fp32") -> Export | None:
    """Return the bundle's export of the format ``kind`` that takes crops, or None."""
    return bundle.manifest.exports.get(name_export(kind, precision))


def open_export(bundle: Bundle, export: Export) -> Path:
    """Return the file of ``export`` that a runtime opens, with all its files verified.

    Raises BundleDamagedError that names the first file that is missing or differs.
    """
    for name in export.files:
        bundle.verify(name)
    return bundle.path / export.entry


def record_files(folder: Path, prefix: str) -> dict[str, FileRecord]:
    """Return size and SHA-256 of every file below ``folder``, by name below ``prefix``."""
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": FileRecord(
            bytes=path.stat().st_size, sha256=sha256_of(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def add_export(bundle: Bundle, name: str, make: Callable[[Path], Export]) -> Bundle:
    """Let ``make`` write an export's files into a folder, put them into the bundle, return that.

    What ``make`` returns names its ``entry`` within the folder; the records of the files are filled
    in here. Where it raises, the bundle stays as it was. An export of the same name is replaced.
    The folder is swapped in before ``bundle.json`` names it: a kill between the two leaves an
    export whose hashes differ, which is refused and can be made again.
    """
    prefix = f"{EXPORTS}/{name}"
    exports = bundle.path / EXPORTS
    _sweep(exports, name)
    try:
        with replacing_folder(bundle.path / prefix) as folder:
            export = make(folder)
            files = record_files(folder, prefix)
    finally:
        with contextlib.suppress(OSError):
            exports.rmdir()  # where nothing is in it
    if f"{prefix}/{export.entry}" not in files:
        raise BundleError(f"The export {name} has no file {export.entry}.")
    whole = export.model_copy(update={"files": files, "entry": f"{prefix}/{export.entry}"})
    manifest = read_bundle(bundle.path).manifest
    return amend_bundle(bundle, {"exports": manifest.exports | {name: whole}})


def _sweep(exports: Path, name: str) -> None:
    """Remove what killed exports of that name have left: scratch folders of an hour ago."""
    for left in exports.glob(f".{name}.*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left)


def add_file(bundle: Bundle, name: str, data: bytes) -> Bundle:
    """Write one more file into the bundle and record it in ``bundle.json``."""
    write_atomic(bundle.path / name, data)
    record = FileRecord(bytes=len(data), sha256=sha256_of(bundle.path / name))
    manifest = read_bundle(bundle.path).manifest
    return amend_bundle(bundle, {"files": manifest.files | {name: record}})
