"""Pictures read ahead of their decoding: a storage takes longer to answer than to send."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from residua.base.errors import ImageError, ResiduaError
from residua.cluster.pictures.entry import ADDRESSES
from residua.cluster.storage import locate, read_range
from residua.pixels.limits import Limits
from residua.predict.inputs import Item, UnreadableError

AHEAD = 16  # pictures that a decoding worker has asked for at once
_TOO_LONG = 1  # byte more than is allowed, so that the limits see it


def read_ahead(
    rows: Iterable[dict[str, Any]], limits: Limits
) -> Iterator[tuple[dict[str, Any], Item]]:
    """Yield the rows, in order, each with its picture: encoded bytes, or why there are none."""
    waiting: deque[tuple[dict[str, Any], Future[Item] | Item]] = deque()
    for row in rows:
        if row["url"] is None or row["error"] is not None:
            waiting.append((row, Item(row["filename"], row["data"] or b"")))
        else:
            waiting.append((row, _readers().submit(_fetch, row, limits)))
        if len(waiting) == AHEAD:
            yield _settle(*waiting.popleft())
    while waiting:
        yield _settle(*waiting.popleft())


@lru_cache(maxsize=1)
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AHEAD, "read")


def _settle(row: dict[str, Any], item: Future[Item] | Item) -> tuple[dict[str, Any], Item]:
    return row, item if isinstance(item, Item) else item.result()


def _fetch(row: dict[str, Any], limits: Limits) -> Item:
    name, url, size = row["filename"], row["url"], row["size"]
    try:
        if url.startswith(ADDRESSES):
            return Item(name, Item(name, url).read(limits))
        if "://" not in url and size < 0:
            return Item(name, Item(name, Path(url)).read(limits))
        return Item(name, _read(url, row["start"], size, limits))
    except ImageError as error:
        return Item(name, error)
    except (OSError, ValueError, ResiduaError) as error:
        return Item(name, UnreadableError(f"{name}: {error}"))


def _read(url: str, start: int, size: int, limits: Limits) -> bytes:
    place = locate(url)
    if size >= 0:
        return read_range(place, start, min(size, limits.max_bytes + _TOO_LONG))
    with place.system.open_input_stream(place.path) as file:
        content: bytes = file.read(limits.max_bytes + _TOO_LONG)
    return content
