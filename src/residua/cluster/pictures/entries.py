"""What people name as pictures of a job, one entry a picture: files, lists, folders, tar shards."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from residua.base.errors import DataError, ImageError
from residua.cluster.storage import Place, locate
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.place import expand
from residua.data.sources.shards import SHARDS
from residua.data.sources.tar import Member, list_members
from residua.predict.inputs import LIST_SUFFIXES, list_items


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture: its name in the results, and where it is.

    ``size`` bytes from ``start`` on of the file ``url``; -1 is the whole of it. ``error`` is why
    there is none.
    """

    name: str
    url: str = ""
    start: int = 0
    size: int = -1
    error: ImageError | None = None


def list_entries(inputs: list[str]) -> Iterator[Entry]:
    """Yield the pictures of ``inputs``, in order. Raises DataError.

    Of this machine what ``residua predict`` takes, in its order, and tar shards (one, a wildcard or
    a range, a folder of them); of URLs files, folders, lists (.txt) and tar shards.
    """
    for given in inputs:
        if _is_shards(given):
            yield from _list_shards(given)
        elif "://" in given:
            yield from _list_remote(locate(given))
        else:
            yield from _list_local(given)


def _list_local(given: str) -> Iterator[Entry]:
    for item in list_items(given):
        match item.content:
            case ImageError():
                yield Entry(item.name, error=item.content)
            case content:
                yield Entry(item.name, str(Path(str(content)).absolute()))


def _list_remote(place: Place) -> Iterator[Entry]:
    suffix = _suffix(place.path)
    if suffix in LIST_SUFFIXES:
        base = place.url.rpartition("/")[0]
        for line in place.read().decode("utf-8-sig").splitlines():
            if name := line.strip():
                url = name if "://" in name else f"{base}/{name}"
                yield Entry(url, url)
        return
    if suffix in SUFFIXES:
        yield Entry(place.url, place.url)
        return
    found = False
    for file in place.files():
        if _suffix(file.path) in SUFFIXES:
            found = True
            yield Entry(file.url, file.url)
    if not found:
        raise DataError(
            f"{place.url} holds no pictures.",
            next_step="Given are files, a folder, a list (.txt), tar shards or Parquet files.",
        )


def _is_shards(given: str) -> bool:
    if _suffix(given) in SHARDS:
        return True
    if "://" in given or not Path(given).is_dir():
        return False
    names = [entry.suffix.lower() for entry in Path(given).iterdir() if entry.is_file()]
    return bool(names) and any(n in SHARDS for n in names) and not any(n in SUFFIXES for n in names)


def _list_shards(given: str) -> Iterator[Entry]:
    if "://" in given:
        place = locate(given)
        yield from _pictures_of(place, _list_remote_members(place))
        return
    for file in expand(given, SHARDS):
        yield from _pictures_of(locate(file), list_members(file))


def _list_remote_members(place: Place) -> Iterator[Member]:
    try:
        with (
            place.system.open_input_file(place.path) as handle,
            tarfile.open(fileobj=handle, mode="r:") as archive,
        ):
            for info in archive:
                if info.isreg():
                    yield Member(info.name, info.offset_data, info.size)
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{place.url} cannot be read as a tar archive: {error}.") from error


def _pictures_of(place: Place, members: Iterator[Member]) -> Iterator[Entry]:
    """Yield the first picture of each key, as WebDataset has them."""
    for _, group in groupby(members, key=lambda member: member.name.partition(".")[0]):
        found = next((member for member in group if _suffix(member.name) in SUFFIXES), None)
        if found is not None:
            yield Entry(f"{place.name}/{found.name}", place.url, found.offset, found.size)


def _suffix(name: str) -> str:
    return Path(name.partition("?")[0]).suffix.lower()
