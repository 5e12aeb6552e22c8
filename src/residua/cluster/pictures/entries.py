"""What people name as pictures of a job, one entry a picture: files, lists, folders, tar shards."""

from collections.abc import Iterator
from pathlib import Path

from residua.base.errors import ImageError, SettingError
from residua.cluster.pictures.entry import ADDRESSES, Entry
from residua.cluster.pictures.patterns import find_places
from residua.cluster.pictures.remote import list_remote, list_urls, pictures_of
from residua.cluster.storage import locate
from residua.cluster.urls import is_url, suffix
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.place import expand
from residua.data.sources.shards import SHARDS
from residua.data.sources.tar import list_members
from residua.predict.inputs import LIST_SUFFIXES, Item, list_items, list_lines, looks_like_picture


def list_entries(inputs: list[str], *, allow_urls: bool = False) -> Iterator[Entry]:
    """Yield the pictures of ``inputs``, in order. Raises DataError, SettingError.

    Of this machine what ``residua predict`` takes, in its order, and tar shards (one, a wildcard or
    a range, a folder of them); of URLs files, folders, lists (.txt) and tar shards, by wildcards
    and ranges too. A list here or there may name URLs; those of web servers with ``allow_urls``.
    """
    for given in inputs:
        for entry in _list(given):
            if entry.url.startswith(ADDRESSES) and not allow_urls:
                raise SettingError(
                    f"{entry.url} is of a web server, and these are off.",
                    next_step="Add --allow-urls, or download it first.",
                )
            yield entry


def _list(given: str) -> Iterator[Entry]:
    if given == "-":
        raise SettingError(
            "A job that can go on needs pictures that can be read again, not standard input.",
            next_step="Write the paths into a list, one a line: list.txt",
        )
    if given.startswith(ADDRESSES):
        yield Entry(given, given)
    elif is_url(given):
        yield from list_remote(find_places(given))
    elif _is_local_shards(given):
        for file in expand(given, SHARDS):
            yield from pictures_of(locate(file), list_members(file))
    else:
        yield from _list_local(given)


def _list_local(given: str) -> Iterator[Entry]:
    path = Path(given)
    if suffix(given) in LIST_SUFFIXES and path.is_file() and not looks_like_picture(path):
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                if is_url(line.strip()):
                    yield from list_urls([line], "")
                else:
                    yield from map(_as_entry, list_lines([line], path.parent))
        return
    yield from map(_as_entry, list_items(given))


def _as_entry(item: Item) -> Entry:
    if isinstance(item.content, ImageError):
        return Entry(item.name, error=item.content)
    return Entry(item.name, str(Path(str(item.content)).absolute()))


def _is_local_shards(given: str) -> bool:
    if suffix(given) in SHARDS:
        return True
    if not Path(given).is_dir():
        return False
    names = [entry.suffix.lower() for entry in Path(given).iterdir() if entry.is_file()]
    return bool(names) and any(n in SHARDS for n in names) and not any(n in SUFFIXES for n in names)
