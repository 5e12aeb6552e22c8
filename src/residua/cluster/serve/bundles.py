"""Bundles where replicas find them: at a path that every machine has, or in a shared storage."""

import hashlib
from pathlib import Path

from residua.bundle.store import MANIFEST
from residua.cluster.ship import pack, unpack
from residua.cluster.storage import Place, locate
from residua.zoo.weights.resolve import open_bundle

_LIST = "files.txt"


def place_models(models: list[str], storage: Place | None) -> list[str]:
    """Return ``models`` as replicas are to spell them; with ``storage`` their files go there.

    Each is SOURCE, NAME=SOURCE or NAME:VERSION=SOURCE. Raises what opening a bundle raises.
    """
    placed = []
    for text in models:
        name, equals, source = text.partition("=")
        if not equals:
            name, source = Path(text).name.removesuffix(".bundle"), text
        bundle = open_bundle(source)
        if storage is None:
            placed.append(f"{name}={Path(source).absolute() if Path(source).exists() else source}")
            continue
        files = pack(bundle)
        digest = hashlib.sha256(files[MANIFEST]).hexdigest()[:32]
        folder = (storage / "models" / digest).make()
        if (folder / _LIST).kind() != "file":
            for relative, content in files.items():
                target = folder / relative
                Place(target.url, target.system, target.path.rpartition("/")[0]).make()
                target.write(content)
            (folder / _LIST).write("\n".join(files).encode())
        placed.append(f"{name}={folder.url}")
    return placed


def fetch(model: str) -> str:
    """Return ``model`` with a source on this machine: what lies in a storage is brought here."""
    name, _, source = model.partition("=")
    place = locate(source) if "://" in source or (Path(source) / _LIST).is_file() else None
    if place is None:
        return model
    names = (place / _LIST).read().decode().splitlines()
    return f"{name}={unpack({each: (place / each).read() for each in names}).path}"
