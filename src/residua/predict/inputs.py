"""What people hand to ``predict``: files, folders, globs, lists, URLs, standard input, pictures.

Everything becomes a stream of ``Item``s that are read one by one, in the decoding threads.
"""

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from residua.base.errors import ImageError, NotAnImageError, SettingError
from residua.pixels.limits import Limits, check_bytes
from residua.pixels.sniff import sniff
from residua.predict.remote import fetch_picture

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
LIST_SUFFIXES = frozenset({".txt", ".lst", ".list"})
_ONE = (str, os.PathLike, bytes, bytearray, memoryview, np.ndarray, Image.Image)
_SNIFFED = 64  # bytes; every format that residua reads shows itself in the first sixteen


class UnreadableError(ImageError):
    """The file or address itself could not be read."""

    reason = "unreadable"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to come: its name in the results and where its content is."""

    name: str
    content: Path | bytes | np.ndarray | Image.Image | str | ImageError  # str: a URL

    def read(self, limits: Limits) -> bytes | np.ndarray | Image.Image:
        """Return the encoded bytes, or the pixels as given. Raises ImageError."""
        match self.content:
            case ImageError():
                raise self.content
            case Path():
                return _read_file(self.content, self.name, limits)
            case str():
                try:
                    return fetch_picture(self.content, max_bytes=limits.max_bytes)
                except OSError as error:
                    raise UnreadableError(f"{self.name}: {error}") from error
            case _:
                return self.content


def list_items(inputs: Any, *, allow_urls: bool = False) -> Iterator[Item]:
    """Yield the pictures that ``inputs`` names, in order.

    ``inputs`` is one of these or an iterable of them: a path (file, folder, list file ``.txt`` or
    glob), "-" for standard input, an https URL (with ``allow_urls``), encoded bytes, a PIL image,
    an array [H, W, 3] or [H, W] of uint8. Folders are searched recursively, in sorted order.
    """
    if isinstance(inputs, _ONE) or hasattr(inputs, "read"):
        inputs = [inputs]
    elif not isinstance(inputs, Iterable):
        raise SettingError(
            f"Cannot predict an input of type {type(inputs).__name__}.",
            next_step="Give a path, bytes, a PIL image, a uint8 array, or an iterable of them.",
        )
    for index, entry in enumerate(inputs):
        yield from _expand(entry, index, allow_urls=allow_urls)


def list_lines(lines: Iterable[str], folder: Path) -> Iterator[Item]:
    """Yield a picture a line: ``path`` or ``path label``, relative to ``folder``, else to here."""
    for line in lines:
        text = line.strip("\r\n")
        if not text.strip():
            continue
        candidates = [text, text.rpartition("\t")[0], text.rpartition(" ")[0]]
        places = [base / name for name in candidates if name for base in (folder, Path())]
        found = next((place for place in places if place.is_file()), places[-2])
        if text.startswith("#") and not found.is_file():
            continue
        yield Item(str(found), found)


def looks_like_picture(path: Path) -> bool:
    """Tell by its first bytes whether a file is a picture, whatever its name."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _is_picture(file.read(_SNIFFED))
    except OSError:
        return False


def _expand(entry: Any, index: int, *, allow_urls: bool) -> Iterator[Item]:
    match entry:
        case bytes() | bytearray() | memoryview():
            yield Item(f"bytes {index}", bytes(entry))
        case np.ndarray():
            yield Item(f"array {index}", entry)
        case _ if hasattr(entry, "read"):
            yield Item(str(getattr(entry, "name", f"file {index}")), entry.read())
        case Image.Image():
            yield Item(getattr(entry, "filename", "") or f"image {index}", entry)
        case "":
            raise SettingError("An empty path was given.", next_step="Give a file or a folder.")
        case "-":
            yield from _expand_stdin()
        case str() if "://" in entry:
            if not allow_urls:
                raise SettingError(
                    f"{entry} is a URL, and URLs are off.",
                    next_step="Add --allow-urls (Python: allow_urls=True), or download it first.",
                )
            yield Item(entry, entry)
        case str() | os.PathLike():
            yield from _expand_path(os.fspath(entry))
        case _:
            raise SettingError(
                f"Cannot predict an input of type {type(entry).__name__}.",
                next_step="Give a path, bytes, a PIL image or a uint8 array.",
            )


def _expand_path(text: str) -> Iterator[Item]:
    path = Path(text)
    if "\0" in text:
        yield Item(text, UnreadableError(f"{text!r} is no path: it holds a zero byte"))
    elif path.is_dir():
        yield from _walk(path)
    elif not path.exists() and glob.has_magic(text):
        found_any = False
        # Path.glob takes no absolute patterns.
        for found in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207  # see above
            if Path(found).is_file():
                found_any = True
                yield Item(found, Path(found))
        if not found_any:
            yield Item(text, UnreadableError(f"{text}: no file matches"))
    elif path.suffix.lower() in LIST_SUFFIXES and path.is_file() and not looks_like_picture(path):
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            yield from list_lines(lines, path.parent)
    else:
        yield Item(text, path)


def _walk(folder: Path) -> Iterator[Item]:
    """Yield the pictures below ``folder``: by their suffix, or by their first bytes.

    What cannot be searched, or holds no picture at all, is an item too: one that cannot be read.
    """
    closed: list[OSError] = []
    count = 0
    for place, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            # is_file: a pipe or a device among the files would be waited for.
            if name.startswith(".") or not (path.is_file() or path.is_symlink()):
                continue
            if path.suffix.lower() in PICTURE_SUFFIXES or looks_like_picture(path):
                count += 1
                yield Item(str(path), path)
    for error in closed:
        name = os.fsdecode(error.filename)
        yield Item(name, UnreadableError(f"{name}: {error.strerror}"))
    if not count and not closed:
        yield Item(
            str(folder),
            UnreadableError(
                f"{folder}: there is no picture in this folder (JPEG, PNG, WebP, BMP, GIF or TIFF)"
            ),
        )


def _is_picture(head: bytes) -> bool:
    try:
        sniff(head)
    except NotAnImageError:
        return False
    except ImageError:
        return True  # a picture's first bytes, cut short
    return True


def _expand_stdin() -> Iterator[Item]:
    """Standard input holds one picture, or a path a line."""
    stream = sys.stdin.buffer
    head = stream.peek(_SNIFFED)[:_SNIFFED] if isinstance(stream, io.BufferedReader) else b""
    if _is_picture(head):
        yield Item("-", stream.read())
    else:
        yield from list_lines(
            io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape"), Path()
        )


def _read_file(path: Path, name: str, limits: Limits) -> bytes:
    try:
        if path.is_file():
            check_bytes(path.stat().st_size, limits, name)
        with path.open("rb") as file:
            # One byte more than allowed, so that the limits see it; pipes have no size to ask.
            return file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{name}: {reason}") from error
