"""The weight file of a catalogue entry: found in the search path or the cache, or fetched.

Mirrors come first, then the publisher's URLs, in order. A lock makes many processes share one
download; what comes is compared with the published SHA-256, or with the one of its first use.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from residua.base.errors import ChecksumError, DownloadError, SettingError, WeightsError
from residua.base.files import locked
from residua.zoo.weights.cache import accept, find_file, is_offline, mirrors, verify, weights_folder
from residua.zoo.weights.catalogue import Entry
from residua.zoo.weights.download import TransferError, discard, download, settle

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def fetch(entry: Entry) -> Path:
    """Return the path of the entry's weight file, whole and checked; fetch it where it is not here.

    Raises DownloadError where no mirror gives it or connections are forbidden, ChecksumError where
    the content is another one than was published or recorded, and WeightsError where the cache
    cannot hold it.
    """
    folder = weights_folder()
    try:
        with locked(folder / f".{entry.file}.lock"):
            path = find_file(entry)
            if path is None:
                return _fetch_first(entry, folder / entry.file)
            verify(entry, path)
            return path
    except OSError as error:  # of the disk: those of the network are TransferErrors by now
        raise WeightsError(
            f"{entry.file} cannot be kept in {folder} ({error}).",
            next_step="Set RESIDUA_CACHE to a folder that you may write to.",
        ) from error


def _fetch_first(entry: Entry, target: Path) -> Path:
    """Fetch the entry from the first address that has it whole and right."""
    if is_offline():
        raise DownloadError(
            f"{entry.file} ({entry.name}) is not here, and RESIDUA_OFFLINE forbids fetching it.",
            next_step=_by_hand(entry, target),
        )
    part = target.with_name(f"{target.name}.part")
    kind: type[WeightsError] = DownloadError
    failures = []
    for url, origin in _addresses(entry):
        try:
            digest = download(url, part, what=entry.file)
            _check_whole(part, entry)
            accept(entry, part, digest, origin=origin)
        except TransferError as error:
            failures.append(f"  {url}: {error}")
        except ChecksumError as error:
            discard(part)
            kind = ChecksumError
            failures.append(f"  {url}: {error.problem}")
        else:
            settle(part, target)
            return target
    raise kind(
        "\n".join([f"{entry.file} ({entry.name}) could not be fetched:", *failures]),
        next_step=_by_hand(entry, target),
    )


def _addresses(entry: Entry) -> Iterator[tuple[str, str]]:
    """Give each address to try and its origin: mirrors hold what the publisher's first URL does."""
    for base in mirrors():
        if urlsplit(base).scheme not in {"http", "https"}:
            raise SettingError(
                f"RESIDUA_MIRROR holds {base!r}, which is no web address.",
                next_step="Give https://HOST/FOLDER; a folder of this machine belongs into "
                "RESIDUA_WEIGHTS_PATH.",
            )
        yield f"{base}/{entry.file}", entry.urls[0]
    for url in entry.urls:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise SettingError(f"{url} is not https.", next_step="Weights come over https only.")
        yield url, url


def _check_whole(part: Path, entry: Entry) -> None:
    """Refuse what cannot be the whole file by its form: an error page, or a cut without a length.

    Such a thing must not be recorded as the file's content at its first use; a file whose SHA-256
    was published needs no such look. Raises TransferError.
    """
    suffix = Path(entry.file).suffix
    if entry.sha256 or entry.sha256_prefix:
        return
    if suffix == ".safetensors":
        whole = _is_whole_safetensors(part)
    else:
        whole = _is_whole_pickle(part) or (suffix == ".pth" and zipfile.is_zipfile(part))
    if not whole:
        size = part.stat().st_size
        discard(part)
        raise TransferError(f"gave {size} bytes that are no whole {suffix} file")


def _is_whole_safetensors(path: Path) -> bool:
    """Compare the size with the header: its length in 8 bytes, JSON with offsets, then the data."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size:
            return False
        try:
            header = json.loads(file.read(length))
            ends = [t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"]
        except (ValueError, AttributeError, LookupError, TypeError):
            return False
    return 8 + length + max(ends, default=0) == size


def _is_whole_pickle(path: Path) -> bool:
    """Look for the first and the last opcode of a pickle: PROTO and STOP."""
    with path.open("rb") as file:
        first = file.read(1)
        file.seek(-1, os.SEEK_END) if first else None
        return first == b"\x80" and file.read(1) == b"."


def _by_hand(entry: Entry, target: Path) -> str:
    digest = ""
    if entry.sha256:
        digest = f"Its SHA-256 is {entry.sha256}. "
    elif entry.sha256_prefix:
        digest = f"Its SHA-256 begins with {entry.sha256_prefix}. "
    places = "\n".join(f"  {url}" for url in entry.urls)
    return (
        f"{digest}Bring it by hand, from\n{places}\nin one of two ways:\n"
        f"  save it as {target} (or as {entry.file} in a folder of RESIDUA_WEIGHTS_PATH), or\n"
        f"  residua weights import FILE --model {entry.name} --output {entry.name}.bundle"
    )
