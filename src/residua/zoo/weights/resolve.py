"""The one door: a bundle, a zoo name or a weight file in, a bundle out.

A zoo name stands for a bundle in the cache that is made of the published file at its first use; a
weight file for one that is kept under the file's SHA-256. What exists is opened without torch.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from residua.base.errors import BundleDamagedError, ChecksumError, SettingError, WeightsError
from residua.base.files import locked, sha256_of
from residua.base.nearest import normalize
from residua.bundle.classes import numbered_classes
from residua.bundle.store import Bundle, is_bundle, read_bundle
from residua.zoo.table import ROWS
from residua.zoo.weights.cache import bundle_path, check_published, find_bundle
from residua.zoo.weights.catalogue import Entry, find_architecture, find_entry, is_known
from residua.zoo.weights.files.inference_files import (
    archive_in,
    digest_of,
    is_part,
    require_archive,
)

_SUFFIXES = {".bundle", ".pdparams", ".pth", ".pt", ".th", ".bin", ".safetensors", ".tar", ".zip",
             ".pdmodel", ".pdiparams", ".json"}  # fmt: skip


def open_bundle(name_or_path: str | Path, *, architecture: str | None = None) -> Bundle:
    """Return the bundle of a zoo name ("ResNet50_vd_ssld"), a bundle's folder or a weight file.

    A folder may also be an inference archive of Paddle. The first use of a zoo name fetches its
    weights; many processes may do so at once. ``architecture`` names the network of a weight file
    where its tensors leave it open, and must agree with what a name or a bundle says.

    Raises UnknownNameError with the nearest names, WeightsError (DownloadError, ChecksumError,
    WeightsMismatchError, …) where the weights cannot be had or used, BundleError for a folder that
    is no bundle, SettingError where ``architecture`` names another network.
    """
    text = os.fspath(name_or_path)
    if not text:
        raise SettingError(
            "The name of the model is empty.",
            next_step="Give a name from: residua models, a bundle or a weight file.",
        )
    path = Path(text).expanduser()
    if path.is_file() or (path.is_dir() and not is_bundle(path) and archive_in(path)):
        return _open_file(path, architecture)
    if is_bundle(path):
        bundle = read_bundle(path)
    elif is_known(text) or not (_looks_like_path(text) or path.exists()):
        bundle = open_entry(find_entry(text))
    elif path.exists():
        bundle = read_bundle(path)  # says what is wrong with the folder
    else:
        raise WeightsError(
            f"There is no file or folder {path}.",
            next_step="Give a bundle, a weight file, or a name from: residua weights list",
        )
    row = bundle.manifest.architecture
    if architecture is not None and find_architecture(architecture).name != row.name:
        raise SettingError(
            f"{name_or_path} holds a {row.name}, where a {architecture} was asked for.",
            next_step="Leave the architecture out: the weights say which network they are.",
        )
    return bundle


def open_entry(entry: Entry) -> Bundle:
    """Return the bundle of a catalogue entry, made at its first use of the fetched file."""

    def make(target: Path) -> Bundle:
        from residua.zoo.weights.fetch import fetch
        from residua.zoo.weights.make import make_bundle

        source = fetch(entry)
        return make_bundle(
            source,
            sha256_of(source),
            target,
            entry.architecture,
            entry=entry,
            origin=entry.urls[0],
            made_by=f"first use of {entry.name}",
        )

    found = find_bundle(entry)
    if found is not None and found != bundle_path(entry.name):
        return read_bundle(found)  # in the search path, where nothing of ours is made anew
    return _open_or_make(bundle_path(entry.name), make)


def _open_file(path: Path, architecture: str | None) -> Bundle:
    """Return the bundle of a weight file, kept under what decides about it."""
    row = None if architecture is None else find_architecture(architecture)
    digest = _hash(path)
    # The file's name is part of the key, for it may decide what the tensors leave open.
    key = "\n".join([digest, path.name, row.name if row else ""])

    def make(target: Path) -> Bundle:
        from residua.zoo.weights.make import make_bundle

        return make_bundle(path, digest, target, row, made_by=f"first use of {path.name}")

    return _open_or_make(bundle_path(f"file-{hashlib.sha256(key.encode()).hexdigest()[:32]}"), make)


def _open_or_make(target: Path, make: Callable[[Path], Bundle]) -> Bundle:
    """Return the bundle at ``target``; the first of many processes makes it."""
    if not is_bundle(target):
        with _kept(target), locked(target.with_name(f".{target.name}.lock")):
            if not is_bundle(target):
                return make(target)
    try:
        return read_bundle(target)
    except BundleDamagedError as error:
        raise BundleDamagedError(
            error.problem, next_step=f"Delete {target}; it is made again at its next use."
        ) from error


def _hash(path: Path) -> str:
    """Return the SHA-256 of a file, or one over all files of an inference archive."""
    try:
        if path.is_dir() or is_part(path):
            archive = require_archive(path)
            return digest_of(path if path.is_dir() else path.parent, archive)
        return sha256_of(path)
    except OSError as error:
        raise WeightsError(
            f"The weight file {path} cannot be read ({error.strerror}).",
            next_step="Give the path of a file that you may read.",
        ) from error


@contextmanager
def _kept(target: Path) -> Iterator[None]:
    """Turn what the disk refuses into our error."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            f"The bundle {target} cannot be made ({error}).",
            next_step="Set RESIDUA_CACHE to a folder that you may write to, with space left.",
        ) from error


def import_file(
    path: Path,
    *,
    output: Path,
    model: str | None = None,
    head: str = "keep",
    classes: Path | None = None,
    num_classes: int | None = None,
    preprocess: Mapping[str, Any] | None = None,
    licence: str = "",
    overwrite: bool = False,
) -> Bundle:
    """Make a bundle at ``output`` of the weight file ``path``.

    ``model`` is a row or an entry of the catalogue; None lets the tensors say which network it is.
    An entry that is more than a row ("ResNet50.tv2") brings its preprocessing, published accuracy
    and licence. ``head`` "new" replaces the classifier by a fresh one for the names in the file
    ``classes``, or for ``num_classes`` unnamed ones. ``preprocess`` holds fields of Preprocess that
    override the rest.
    """
    from residua.zoo.weights.labels import read_classes
    from residua.zoo.weights.make import make_bundle

    if head not in {"keep", "new"}:
        raise SettingError(f"--head {head} is neither keep nor new.")
    if num_classes is not None and (head == "keep" or classes is not None):
        raise SettingError(
            "--num-classes is for a new classifier without names.",
            next_step="Leave --num-classes out."
            if classes is not None
            else "Add --head new, or leave --num-classes out.",
        )
    row = None if model is None else find_architecture(model)
    entry = _claimed_entry(model)
    digest = _hash(path)
    if entry is not None and head == "keep":
        _check_claim(entry, path, digest)
    names = None
    if classes is not None:
        names = read_classes(classes)
    elif num_classes is not None:
        names = numbered_classes(num_classes)
    return make_bundle(
        path,
        digest,
        output,
        row,
        entry=entry,
        head="new" if head == "new" else "keep",
        classes=names,
        preprocess=preprocess,
        licence=licence,
        made_by="residua weights import",
        overwrite=overwrite,
    )


def _claimed_entry(model: str | None) -> Entry | None:
    """Return the entry that ``model`` names, unless it is a row's name, which claims no more."""
    if model is None or normalize(model) in {normalize(row) for row in ROWS}:
        return None
    return find_entry(model)


def _check_claim(entry: Entry, path: Path, digest: str) -> None:
    try:
        check_published(entry, path, digest)
    except ChecksumError as error:
        raise ChecksumError(
            error.problem, next_step=f"For other weights of that network: --model {entry.row}"
        ) from error


def _looks_like_path(text: str) -> bool:
    """Tell whether ``text`` can only be meant as a path."""
    return os.sep in text or text.startswith((".", "~")) or Path(text).suffix.lower() in _SUFFIXES
