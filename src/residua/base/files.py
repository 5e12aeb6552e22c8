"""Files that are whole or absent: atomic writes, atomic folder swaps, hashes and locks."""

import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_CHUNK = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a crash leaves the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that takes its place when the block ends well.

    Every file in it is flushed to disk before the swap. On Linux the swap of an existing folder is
    one system call (``renameat2`` with RENAME_EXCHANGE), so that a kill at any moment leaves either
    the old folder or the new one, whole, under the name ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield scratch
        # mkdtemp and some writers keep others out; a bundle is read by servers and containers.
        scratch.chmod(0o755)
        for path in scratch.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
            sync_folder(path) if path.is_dir() else _sync_file(path)
        sync_folder(scratch)
        _swap(scratch, target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _swap(scratch: Path, target: Path) -> None:
    """Put ``scratch`` at ``target``; what stood there moves to ``scratch``."""
    if not target.exists():
        scratch.replace(target)
    elif not _exchange(scratch, target):
        # No atomic exchange on this system: the old folder waits under a name that tells its story.
        previous = target.with_name(f"{target.name}.previous")
        target.replace(previous)
        scratch.replace(target)
        previous.replace(scratch)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one system call; False where the system or file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        return False
    raise OSError(code, os.strerror(code), str(second))


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to disk, where the system lets a folder be opened."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def try_lock(path: Path) -> Callable[[], None] | None:
    """Lock ``path`` (made if absent) against other processes; None where another has it.

    What is returned lets go and removes the file, of which so none stays behind. Whoever opens a
    file that is then removed, and locks that, tries again: such a lock would keep nobody out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if _is_at(path, handle):
            return functools.partial(_unlock, path, handle)
        os.close(handle)


def _unlock(path: Path, handle: int) -> None:
    if _is_at(path, handle):
        path.unlink()  # before it is let go: who waits for it then finds it gone
    os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether the open file is the one that ``path`` names."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (made if absent) against other processes and threads.

    The lock belongs to the open file, so it is gone when the process dies, however it dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
