"""Files anywhere: on this machine, a shared file system, or what a URL names (s3://, gs://, …).

pyarrow's own file systems where it has them, else fsspec's: any of its protocols, once the library
for it is installed. A URL is spelled as its store's own tools take it: a space is a space, and %20
three characters.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, SettingError
from residua.cluster.urls import join, split

_AT_ONCE = 16  # folders


@dataclass(frozen=True, slots=True)
class Place:
    """A path of a file system of pyarrow. ``url`` is how it was named; both may be pickled."""

    url: str
    system: Any
    path: str

    def __truediv__(self, name: str) -> "Place":
        """Return what lies below."""
        return Place(join(self.url, name), self.system, f"{self.path.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def is_remote(self) -> bool:
        """Whether it was named by a URL."""
        return "://" in self.url

    def kind(self) -> str:
        """Return "file", "folder", or "" where there is nothing."""
        from pyarrow.fs import FileType

        found = self.system.get_file_info(self.path).type
        return {FileType.File: "file", FileType.Directory: "folder"}.get(found, "")

    def read(self) -> bytes:
        """Return the content of a file. Raises OSError."""
        with self.system.open_input_stream(self.path) as file:
            content: bytes = file.read()
        return content

    def write(self, content: bytes) -> None:
        """Write a file beside, then move it in its place. Raises OSError."""
        scratch = f"{self.path}.part"
        with self.system.open_output_stream(scratch) as file:
            file.write(content)
        self.system.move(scratch, self.path)

    def make(self) -> "Place":
        """Make a folder and those above it, and return it. Raises SettingError where that fails."""
        try:
            self.system.create_dir(self.path, recursive=True)
        except OSError as error:
            raise SettingError(
                f"{self.url} cannot be made: {str(error).splitlines()[0].rstrip('.')}.",
                next_step="A bucket is made by the tools of its storage." if self.is_remote else "",
            ) from error
        return self

    def names(self) -> list[str]:
        """Return the names of what lies directly in a folder, sorted; of nothing none."""
        return [name for name, _ in _list(self)]

    def files(self) -> Iterator["Place"]:
        """Yield the files below a folder at any depth, folder by folder, sorted, none hidden.

        Folders are asked about several at once: a storage takes a tenth of a second each time.
        """
        with ThreadPoolExecutor(_AT_ONCE, "list") as askers:
            yield from _walk(self, askers.submit(_list, self), askers)

    def remove(self) -> None:
        """Remove a folder with all that it holds; nothing where there is none."""
        if self.kind() == "folder":
            self.system.delete_dir(self.path)


def _list(folder: Place) -> list[tuple[str, bool]]:
    """Return what lies directly in a folder, sorted, each with whether it is a file."""
    from pyarrow.fs import FileSelector, FileType

    found = folder.system.get_file_info(FileSelector(folder.path, allow_not_found=True))
    return sorted((info.base_name, info.type == FileType.File) for info in found)


def _walk(
    place: Place, listed: Future[list[tuple[str, bool]]], askers: ThreadPoolExecutor
) -> Iterator[Place]:
    """Yield the files below a folder of which ``listed`` will say what lies in it."""
    shown = [(name, is_file) for name, is_file in listed.result() if not name.startswith(".")]
    yield from (place / name for name, is_file in shown if is_file)
    waiting: deque[tuple[Place, Future[list[tuple[str, bool]]]]] = deque()
    for folder in (place / name for name, is_file in shown if not is_file):
        waiting.append((folder, askers.submit(_list, folder)))
        if len(waiting) > _AT_ONCE:
            yield from _walk(*waiting.popleft(), askers)
    while waiting:
        yield from _walk(*waiting.popleft(), askers)


def locate(url: str | Path) -> Place:
    """Return the place that ``url`` names: a path of this machine, or a URL. Raises SettingError.

    A path is made absolute: processes elsewhere have other working directories.
    """
    from pyarrow.fs import LocalFileSystem

    text = str(url)
    if "://" not in text:
        absolute = str(Path(text).absolute())
        return Place(absolute, LocalFileSystem(), absolute)
    return Place(text, *_open(text))


def _open(url: str) -> tuple[Any, str]:
    root, path, options = split(url)
    system, base = _open_root(root + options)
    return system, f"{base.rstrip('/')}/{path}".rstrip("/") if path else base


@lru_cache(maxsize=64)
def _open_root(url: str) -> tuple[Any, str]:
    """Return a file system and a path in it: one file system for all that lies in a store."""
    from pyarrow.fs import FileSystem

    try:
        system, path = FileSystem.from_uri(url)
    except (ValueError, OSError):
        system, path = _open_by_fsspec(url)
    return system, path


def _open_by_fsspec(url: str) -> tuple[Any, str]:
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SettingError(
            f"{url} cannot be read: {error}.",
            next_step="pyarrow reads s3:// and gs://; others need their library of fsspec.",
        ) from error
    return PyFileSystem(FSSpecHandler(system)), path


def read_range(place: Place, start: int, size: int) -> bytes:
    """Return ``size`` bytes of a file from ``start`` on. Raises DataError where there are fewer."""
    with place.system.open_input_file(place.path) as file:
        content: bytes = file.read_at(size, start)
    if len(content) != size:
        raise DataError(f"{place.url} has become shorter: {len(content)} of {size} bytes.")
    return content
