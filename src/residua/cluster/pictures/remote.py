"""Pictures behind URLs: of files, folders, lists and tar shards in a storage."""

import tarfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader
from itertools import groupby

from residua.base.errors import DataError
from residua.cluster.pictures.entry import Entry
from residua.cluster.storage import Place
from residua.cluster.urls import is_url, join, parent, suffix
from residua.data.sources.folder import SUFFIXES
from residua.data.sources.shards import SHARDS
from residua.data.sources.tar import Member
from residua.predict.inputs import LIST_SUFFIXES

_SHARDS_AT_ONCE = 16
_HEADERS = 8 << 10  # bytes: a picture's label, and the header of the next picture, in one request


def list_remote(places: Iterable[Place]) -> Iterator[Entry]:
    """Yield the pictures of files, lists, archives and folders, in order. Raises DataError."""
    for kind, group in groupby(places, key=lambda place: suffix(place.url)):
        if kind in SHARDS:
            yield from _list_shards(group)
        elif kind in LIST_SUFFIXES:
            for place in group:
                yield from list_urls(_read_lines(place), parent(place.url))
        elif kind in SUFFIXES:
            yield from (Entry(place.url, place.url) for place in group)
        else:
            for place in group:
                yield from _list_folder(place)


def list_urls(lines: Iterable[str], folder: str) -> Iterator[Entry]:
    """Yield a picture a line: a URL, or a path below that of ``folder``, maybe with a label."""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        candidates = [text, text.rpartition("\t")[0], text.rpartition(" ")[0]]
        name = next((each for each in candidates if suffix(each) in SUFFIXES), text)
        url = name if is_url(name) else join(folder, name)
        yield Entry(url, url)


def pictures_of(place: Place, members: Iterator[Member]) -> Iterator[Entry]:
    """Yield the first picture of each key, as WebDataset has them."""
    for _, group in groupby(members, key=lambda member: member.name.partition(".")[0]):
        found = next((member for member in group if suffix(member.name) in SUFFIXES), None)
        if found is not None:
            yield Entry(f"{place.name}/{found.name}", place.url, found.offset, found.size)


def _read_lines(place: Place) -> list[str]:
    try:
        return place.read().decode("utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{place.url} cannot be read: {str(error).rstrip('.')}.") from error


def _list_folder(place: Place) -> Iterator[Entry]:
    """Yield the pictures of a folder, or, where it has none, those of its shards."""
    shards: list[Place] = []
    found = False
    for file in place.files():
        kind = suffix(file.path)
        if kind in SUFFIXES:
            found = True
            yield Entry(file.url, file.url)
        elif kind in SHARDS:
            shards.append(file)
    if found:
        return
    yield from _list_shards(shards)
    if not shards:
        raise DataError(
            f"{place.url} holds no pictures." if place.kind() else f"There is no {place.url}.",
            next_step="Given are files, a folder, a list (.txt), tar shards or Parquet files.",
        )


def _list_shards(places: Iterable[Place]) -> Iterator[Entry]:
    """Yield the pictures of archives, of which several are read at once: a request a picture."""
    with ThreadPoolExecutor(_SHARDS_AT_ONCE, "list") as readers:
        waiting: deque[Future[list[Entry]]] = deque()
        for place in places:
            waiting.append(readers.submit(_list_shard, place))
            if len(waiting) > _SHARDS_AT_ONCE:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _list_shard(place: Place) -> list[Entry]:
    try:
        with (
            place.system.open_input_file(place.path) as handle,
            BufferedReader(handle, _HEADERS) as buffered,
            tarfile.open(fileobj=buffered, mode="r:") as archive,
        ):
            members = (Member(i.name, i.offset_data, i.size) for i in archive if i.isreg())
            return list(pictures_of(place, members))
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{place.url} cannot be read as a tar archive: {str(error).rstrip('.')}."
        ) from error
