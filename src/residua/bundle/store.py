"""Bundles on disk: written whole or not at all, verified when read, never a pickle.

flowers.bundle/
  bundle.json           the Manifest, with size and sha256 of every other file
  weights.safetensors   the tensors of ``zoo.resnet.ResNet``, float32
  exports/FORMAT/…      one folder per exported format
"""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from residua.base.errors import BundleDamagedError, BundleError, SettingError
from residua.base.files import replacing_folder, sha256_of, write_atomic
from residua.bundle.schema import FileRecord, Manifest
from residua.bundle.upgrade import upgrade

MANIFEST = "bundle.json"
WEIGHTS = "weights.safetensors"
# Fields that no export holds.
_BESIDE = {"metrics", "provenance", "licence", "recipe", "files", "exports"}
_MANIFEST_LIMIT = 64 << 20  # bytes; a manifest of 1000 classes has 100 kB


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk: its folder and what ``bundle.json`` says."""

    path: Path
    manifest: Manifest

    @property
    def weights_path(self) -> Path:
        """The file of tensors."""
        return self.path / WEIGHTS

    @property
    def records(self) -> dict[str, FileRecord]:
        """Every file beside ``bundle.json``, those of the exports among them."""
        exported = (export.files for export in self.manifest.exports.values())
        return {name: r for files in (self.manifest.files, *exported) for name, r in files.items()}

    def verify(self, name: str = "") -> None:
        """Compare size and SHA-256 of one file, or of all, with the manifest.

        Raises BundleDamagedError that names the first file that differs.
        """
        records = self.records
        for relative in [name] if name else records:
            self._compare(relative, records[relative])

    def _compare(self, name: str, record: FileRecord) -> None:
        path, again = self.path / name, ""
        if name.startswith("exports/") and name.count("/") > 1:
            kind = name.split("/")[1].partition("-")[0]
            again = f"Make the export again: residua export {quote(str(self.path))} --format {kind}"
        if not path.is_file():
            raise _damaged(path, "is missing", again)
        if path.stat().st_size != record.bytes:
            size = path.stat().st_size
            raise _damaged(path, f"has {size} bytes where {record.bytes} were written", again)
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise _damaged(path, f"cannot be read ({error.strerror})", again) from error
        if digest != record.sha256:
            raise _damaged(path, "has another content than was written (sha256 differs)", again)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the tensors by name, verified against the manifest."""
        self.verify(WEIGHTS)
        try:
            return load_file(self.weights_path)
        except SafetensorError as error:
            raise _damaged(self.weights_path, f"is no safetensors file ({error})") from error


def is_bundle(path: Path) -> bool:
    """Tell whether ``path`` is a folder with a ``bundle.json``."""
    return (path / MANIFEST).is_file()


def read_bundle(path: Path) -> Bundle:
    """Read and check ``bundle.json``; the tensors are verified when they are asked for.

    Raises BundleError where there is no bundle, BundleDamagedError where it cannot be read and
    BundleVersionError where a newer residua wrote it.
    """
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        raise BundleError(
            f"{path} is no bundle: it has no {MANIFEST}.",
            next_step="Give a folder that residua wrote, or a name from: residua models",
        )
    try:
        if manifest_path.stat().st_size > _MANIFEST_LIMIT:
            raise _damaged(manifest_path, "is far too large for a manifest")
        content = json.loads(manifest_path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(manifest_path, f"is no JSON ({error})") from error
    except OSError as error:
        raise _damaged(manifest_path, f"cannot be read ({error.strerror})") from error
    content = upgrade(content, manifest_path)
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise _damaged(manifest_path, _first_complaint(error)) from error
    _check_names(manifest, manifest_path)
    bundle = Bundle(path, manifest)
    if WEIGHTS not in manifest.files:
        raise _damaged(manifest_path, f"lists no {WEIGHTS}")
    if not bundle.weights_path.is_file():
        raise _damaged(bundle.weights_path, "is missing")
    return bundle


def write_bundle(
    path: Path, manifest: Manifest, tensors: Mapping[str, np.ndarray], *, overwrite: bool = False
) -> Bundle:
    """Write a bundle at ``path``: into a folder beside it, flushed, then swapped in.

    An existing bundle is replaced only with ``overwrite``; any other existing path is refused.
    Raises OSError where the disk is full or refuses: then nothing is left of it.
    """
    if path.exists() and not (overwrite and is_bundle(path)):
        if is_bundle(path):
            raise SettingError(
                f"{path} exists already.", next_step="Choose another name, or add --overwrite."
            )
        raise SettingError(f"{path} exists and is no bundle.", next_step="Choose another name.")
    with replacing_folder(path) as folder:
        contiguous = {name: np.asarray(array, order="C") for name, array in tensors.items()}
        try:
            save_file(contiguous, folder / WEIGHTS, metadata={"format": "residua"})
        except SafetensorError as error:  # which is how a full disk is told
            full = "os error 28" in str(error)
            number = errno.ENOSPC if full else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from error
        weights = FileRecord(
            bytes=(folder / WEIGHTS).stat().st_size, sha256=sha256_of(folder / WEIGHTS)
        )
        manifest = manifest.model_copy(update={"files": {WEIGHTS: weights}, "exports": {}})
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Bundle(path, manifest)


def amend_bundle(
    bundle: Bundle, changes: Mapping[str, Any], *, output: Path | None = None
) -> Bundle:
    """Replace fields of the manifest, on disk: in place, or in a copy at ``output``.

    In place only ``bundle.json`` is written anew, whole or not at all. ``changes`` holds fields of
    Manifest. Raises SettingError where the bundle has exports that hold what is to change.
    """
    if output is not None:
        manifest = bundle.manifest.model_copy(update=dict(changes))
        return write_bundle(output, manifest, bundle.tensors())
    manifest = read_bundle(bundle.path).manifest
    if manifest.exports and not _BESIDE.issuperset(changes):
        raise SettingError(
            f"{bundle.path} has exports that hold its {' and '.join(changes)} as they are: "
            f"{', '.join(manifest.exports)}.",
            next_step="Write a copy with --output, and export that anew.",
        )
    manifest = manifest.model_copy(update=dict(changes))
    text = manifest.model_dump_json(indent=1) + "\n"
    write_atomic(bundle.path / MANIFEST, text.encode())
    return Bundle(bundle.path, manifest)


def _check_names(manifest: Manifest, path: Path) -> None:
    """Refuse file names that lead out of the bundle: a manifest may come from anywhere."""
    exported = (name for export in manifest.exports.values() for name in export.files)
    for name in (*manifest.files, *exported):
        parts = Path(name).parts
        if Path(name).is_absolute() or ".." in parts or not parts:
            raise _damaged(path, f"names a file outside the bundle: {name!r}")
    for name, export in manifest.exports.items():
        if export.entry not in export.files:
            raise _damaged(path, f"has an export {name} without its file {export.entry!r}")


def _first_complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    more = error.error_count() - 1
    return f"does not fit the schema at {place}: {first['msg']}" + (
        f" (and {more} more)" if more else ""
    )


def _damaged(path: Path, what: str, next_step: str = "") -> BundleDamagedError:
    again = (
        "Copy the bundle again from where it was made, or make it again. One in the cache is "
        "repaired by: residua weights pull NAME"
    )
    return BundleDamagedError(f"{path} {what}.", next_step=next_step or again)
