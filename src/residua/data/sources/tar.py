"""Where the files of a tar archive lie, from its headers alone: for reading at random.

The standard library's ``tarfile`` makes an object of each header and takes several times as long; a
training set of a million pictures has two million. Read are ustar headers with GNU long names and
pax paths and sizes (POSIX.1-2017, pax, "ustar Interchange Format").
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from residua.base.errors import DataError

_BLOCK = 512
_FILES = frozenset({b"0", b"\0", b"7"})  # regular files, as three generations of tar mark them

_EMPTY = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})  # links, devices, folders, pipes


class Member(NamedTuple):
    """A file in an archive: its name, and offset and size of its content in bytes."""

    name: str
    offset: int
    size: int


def list_members(path: Path) -> Iterator[Member]:
    """Yield the regular files of an uncompressed archive, in order.

    Raises DataError where a header is damaged or the archive ends too early.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        end = os.fstat(handle).st_size
        at = 0
        name, size = "", -1  # what an extended header says of the next file
        while at < end:
            header = os.pread(handle, _BLOCK, at)
            if not header.strip(b"\0"):
                return
            _check(header, path, at)
            kind = header[156:157]
            length = 0 if kind in _EMPTY else _number(header[124:136], path, at)
            if kind in _FILES and size >= 0:
                length = size
            content = at + _BLOCK
            if content + length > end:
                raise DataError(
                    f"{path} is cut off: a file at byte {at} ends {content + length - end} bytes "
                    "beyond the end of the archive.",
                    next_step="Copy or download it again.",
                )
            if kind == b"L":
                name = _text(os.pread(handle, length, content))
            elif kind == b"x":
                name, size = _read_pax(os.pread(handle, length, content), path, at)
            elif kind not in b"gK":
                if kind in _FILES:
                    yield Member(name or _name(header), content, length)
                name, size = "", -1
            at = content + -(-length // _BLOCK) * _BLOCK
    finally:
        os.close(handle)


def read_at(path: Path, offset: int, size: int) -> bytes:
    """Return ``size`` bytes at ``offset``; raises OSError. Threads may call it at once."""
    handle = os.open(path, os.O_RDONLY)
    try:
        data = os.pread(handle, size, offset)
    finally:
        os.close(handle)
    if len(data) != size:
        raise OSError(f"{path} has become shorter: {len(data)} of {size} bytes at {offset}")
    return data


def _check(header: bytes, path: Path, at: int) -> None:
    """Refuse a header whose sum is not the one that it states."""
    stated = header[148:156].strip(b"\0 ")
    # The sum counts its own eight bytes as blanks.
    total = sum(header) - sum(header[148:156]) + 8 * 32
    if len(header) < _BLOCK or not stated.isdigit() or int(stated, 8) != total:
        raise DataError(
            f"{path} is no tar archive that can be read: the header at byte {at} is damaged.",
            next_step="Shards are uncompressed tar files; unpack .tar.gz first.",
        )


def _number(field: bytes, path: Path, at: int) -> int:
    """Return a number of a header: octal, or GNU's base 256 for sizes beyond 8 GiB."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.strip(b"\0 ")
    try:
        return int(text, 8) if text else 0
    except ValueError as error:
        raise DataError(f"{path}: the header at byte {at} has no valid size.") from error


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _read_pax(data: bytes, path: Path, at: int) -> tuple[str, int]:
    """Return path and size of an extended header; empty and -1 where it has none."""
    name, size = "", -1
    while data:
        length, _, rest = data.partition(b" ")
        if not length.isdigit() or int(length) > len(data) or int(length) <= len(length) + 1:
            raise DataError(f"{path}: the extended header at byte {at} is damaged.")
        record = rest[: int(length) - len(length) - 2]
        key, _, value = record.partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            size = int(value)
        data = data[int(length) :]
    return name, size


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", errors="replace")
