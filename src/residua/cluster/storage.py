"""Files anywhere: on this machine, a shared file system, or what a URL names (s3://, gs://, …).

pyarrow's own file systems where it has them, else fsspec's: any of its protocols, once the library
for it is installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.base.errors import DataError, SettingError


@dataclass(frozen=True, slots=True)
class Place:
    """A path of a file system of pyarrow. ``url`` is how it was named; both may be pickled."""

    url: str
    system: Any
    path: str

    def __truediv__(self, name: str) -> "Place":
        """Return what lies below."""
        return Place(f"{self.url.rstrip('/')}/{name}", self.system, f"{self.path}/{name}")

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
        """Make a folder and those above it, and return it."""
        self.system.create_dir(self.path, recursive=True)
        return self

    def files(self) -> Iterator["Place"]:
        """Yield the files below a folder at any depth, sorted, none hidden."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self.path, recursive=True, allow_not_found=True)
        base = self.path.rstrip("/")
        for info in sorted(self.system.get_file_info(selector), key=lambda info: str(info.path)):
            relative = info.path[len(base) + 1 :]
            hidden = any(part.startswith(".") for part in relative.split("/"))
            if info.type == FileType.File and not hidden:
                yield Place(f"{self.url.rstrip('/')}/{relative}", self.system, info.path)

    def remove(self) -> None:
        """Remove a folder with all that it holds; nothing where there is none."""
        if self.kind() == "folder":
            self.system.delete_dir(self.path)


def locate(url: str | Path) -> Place:
    """Return the place that ``url`` names: a path of this machine, or a URL. Raises SettingError.

    A path is made absolute: processes elsewhere have other working directories.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    text = str(url)
    if "://" not in text:
        absolute = str(Path(text).absolute())
        return Place(absolute, LocalFileSystem(), absolute)
    try:
        system, path = FileSystem.from_uri(text)
    except (ValueError, OSError):
        return _locate_by_fsspec(text)
    return Place(text, system, path)


def _locate_by_fsspec(url: str) -> Place:
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SettingError(
            f"{url} cannot be read: {error}.",
            next_step="pyarrow reads s3:// and gs://; others need their library of fsspec.",
        ) from error
    return Place(url, PyFileSystem(FSSpecHandler(system)), path)


def read_range(place: Place, start: int, size: int) -> bytes:
    """Return ``size`` bytes of a file from ``start`` on. Raises DataError where there are fewer."""
    with place.system.open_input_file(place.path) as file:
        content: bytes = file.read_at(size, start)
    if len(content) != size:
        raise DataError(f"{place.url} has become shorter: {len(content)} of {size} bytes.")
    return content
