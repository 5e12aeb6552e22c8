"""A bundle on its way to the machines of a cluster: its files travel, wherever it lies here."""

import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from residua.base.files import locked, replacing_folder
from residua.bundle.store import MANIFEST, Bundle, read_bundle


def pack(bundle: Bundle) -> dict[str, bytes]:
    """Return the files of ``bundle`` by their names, verified. Raises BundleDamagedError."""
    bundle.verify()
    names = [MANIFEST, *bundle.records]
    files = {name: (bundle.path / name).read_bytes() for name in names}
    files[MANIFEST] = bundle.manifest.model_dump_json().encode()  # as it was opened
    return files


def unpack(files: dict[str, bytes]) -> Bundle:
    """Return the bundle that was packed, in a folder of this machine that all its processes use."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode())
        digest.update(files[name])
    folder = Path(tempfile.gettempdir()) / f"residua-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{digest.hexdigest()[:32]}.bundle"
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            with replacing_folder(target) as scratch:
                for name, content in files.items():
                    path = scratch / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
    return read_bundle(target)


@lru_cache(maxsize=1)
def _user() -> str:
    import getpass

    return getpass.getuser()


def send(bundle: Bundle) -> Any:
    """Put the files of ``bundle`` where every process of the cluster can get them."""
    import ray

    return ray.put(pack(bundle))


def receive(sent: Any) -> Bundle:
    """Return the bundle that ``send`` has sent."""
    import ray

    return unpack(ray.get(sent))
