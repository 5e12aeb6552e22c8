"""Writes tar shards that are the same bytes whenever they hold the same pictures.

A shard is written under a hidden name, hashed on the way, flushed to disk and only then renamed:
under its own name it is always whole.
"""

import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from residua.base.files import sync_folder

_BLOCK = 512
_END = b"\0" * (2 * _BLOCK)


class ShardWriter:
    """An archive that grows; ``size`` is what it would have if it were closed now, in bytes."""

    def __init__(self, path: Path) -> None:
        """Begin the archive that is to be ``path``."""
        self.path = path
        self.size = len(_END)
        self.pictures = 0
        self._scratch = scratch_path(path)
        self._digest = hashlib.sha256()
        self._file: BinaryIO = self._scratch.open("wb")

    def add(self, files: bytes) -> None:
        """Append the files of one picture, as ``pack_files`` gives them."""
        self._write(files)
        self.size += len(files)
        self.pictures += 1

    def commit(self) -> str:
        """Close the archive, give it its name and return its SHA-256."""
        self._write(_END)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._scratch.replace(self.path)
        sync_folder(self.path.parent)
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Leave nothing behind; after ``commit`` nothing is left to do."""
        self._file.close()
        self._scratch.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)


def scratch_path(path: Path) -> Path:
    """Return the name of a shard while it is written: hidden, and no .tar."""
    return path.with_name(f".{path.name}.partial")


def pack_files(files: dict[str, bytes]) -> bytes:
    """Return files by name as a piece of a tar archive: owner 0, time 0, mode 644."""
    pieces = []
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        pieces += [header, content, b"\0" * (-len(content) % _BLOCK)]
    return b"".join(pieces)
