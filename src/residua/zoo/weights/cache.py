"""Where weight files and the bundles made of them lie, and what is known of their content.

RESIDUA_CACHE/            else $XDG_CACHE_HOME/residua, else ~/.cache/residua
  weights/FILE            as published
  weights/FILE.json       the SHA-256 it had when it was first used, by origin
  bundles/EDITION/…       bundles made of them

RESIDUA_WEIGHTS_PATH lists read-only folders that are searched first for FILE and NAME.bundle;
RESIDUA_MIRROR lists base URLs that are tried first; RESIDUA_OFFLINE (or HF_HUB_OFFLINE) set to 1
keeps every command from opening a connection.
"""

import json
import os
from pathlib import Path

from residua.base.errors import ChecksumError, WeightsError
from residua.base.files import sha256_of, write_atomic
from residua.bundle.store import is_bundle
from residua.zoo.weights.catalogue import Entry

# Counts changes in how bundles are made of weight files: older ones are then made again.
EDITION = 2
# The origin under which a file is recorded that was not fetched but put into place.
BY_HAND = "brought by hand"
_YES = {"1", "true", "yes", "on"}


def cache_folder() -> Path:
    """Return the folder of the cache; it may not exist yet."""
    if given := os.environ.get("RESIDUA_CACHE"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "residua"


def weights_folder() -> Path:
    """Return the folder of the cache that holds weight files."""
    return cache_folder() / "weights"


def search_path() -> tuple[Path, ...]:
    """Return the read-only folders of RESIDUA_WEIGHTS_PATH, in order."""
    given = os.environ.get("RESIDUA_WEIGHTS_PATH", "")
    return tuple(Path(part).expanduser() for part in given.split(os.pathsep) if part)


def mirrors() -> tuple[str, ...]:
    """Return the base URLs of RESIDUA_MIRROR, in order; blanks or commas stand between them."""
    given = os.environ.get("RESIDUA_MIRROR", "").replace(",", " ").split()
    return tuple(base.rstrip("/") for base in given)


def is_offline() -> bool:
    """Tell whether the environment forbids connections."""
    given = (os.environ.get(name, "") for name in ("RESIDUA_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().lower() in _YES for value in given)


def find_file(entry: Entry) -> Path | None:
    """Return where the entry's file lies: in the search path, in the cache, or None."""
    for folder in (*search_path(), weights_folder()):
        if (folder / entry.file).is_file():
            return folder / entry.file
    return None


def bundle_path(name: str) -> Path:
    """Return the place in the cache of the bundle made under ``name``."""
    return cache_folder() / "bundles" / str(EDITION) / f"{name}.bundle"


def find_bundle(entry: Entry) -> Path | None:
    """Return where the entry's bundle lies: in the search path, in the cache, or None."""
    for folder in search_path():
        if is_bundle(folder / f"{entry.name}.bundle"):
            return folder / f"{entry.name}.bundle"
    made = bundle_path(entry.name)
    return made if is_bundle(made) else None


def record_path(entry: Entry) -> Path:
    """Return the file that records which content the entry's file had at its first use."""
    return weights_folder() / f"{entry.file}.json"


def recorded(entry: Entry) -> dict[str, str]:
    """Return the SHA-256 the entry's file had at its first use, by the origin it came from."""
    path = record_path(entry)
    try:
        content = json.loads(path.read_bytes())
        return {str(origin): str(digest) for origin, digest in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path} is no record of checksums ({error}).",
            next_step="Delete it; it is written anew.",
        ) from error


def accept(entry: Entry, path: Path, digest: str, *, origin: str) -> None:
    """Compare the content of ``path`` with what was published, or else recorded at its first use.

    What nobody has said anything about yet is recorded under ``origin``. Raises ChecksumError
    where the SHA-256 ``digest`` is another one.
    """
    check_published(entry, path, digest)
    known = recorded(entry)
    if origin == BY_HAND:
        expected = set(known.values())
    else:
        expected = {known[origin]} if origin in known else set()
    if expected and digest not in expected:
        raise ChecksumError(
            f"{path} has another content than at its first use: SHA-256 {digest}, "
            f"recorded {' or '.join(sorted(expected))}.",
            next_step=f"Delete the file and get it again: residua weights pull {entry.name}. If "
            f"it was meant to change, delete {record_path(entry)} as well.",
        )
    if not expected:
        known[origin] = digest
        text = json.dumps(known, indent=1) + "\n"
        write_atomic(record_path(entry), text.encode())


def check_published(entry: Entry, path: Path, digest: str) -> None:
    """Compare the SHA-256 of ``path`` with what was published of it; raises ChecksumError."""
    published = entry.sha256 or entry.sha256_prefix
    if published and not digest.startswith(published):
        digits = "" if entry.sha256 else " in its first digits"
        raise ChecksumError(
            f"{path} is not the file that was published for {entry.name}: SHA-256 {digest}, "
            f"published {published}{digits}.",
            next_step=f"Delete it and get it again: residua weights pull {entry.name}",
        )


def verify(entry: Entry, path: Path) -> str:
    """Hash a file that is already here, compare it as ``accept`` does, and return its SHA-256."""
    digest = sha256_of(path)
    accept(entry, path, digest, origin=BY_HAND)
    return digest
