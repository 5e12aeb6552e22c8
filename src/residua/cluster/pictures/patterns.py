"""What a URL stands for that has ranges or wildcards: ``s3://bucket/photos-{000..099}.tar``."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from residua.base.errors import DataError
from residua.cluster.storage import Place, locate
from residua.cluster.urls import split
from residua.data.sources.place import spell_out


def find_places(url: str) -> list[Place]:
    """Return the places that ``url`` stands for, sorted where a wildcard found them.

    As in paths, a wildcard is of one part of a path, and a name that is there is itself. Raises
    DataError where a pattern finds nothing.
    """
    texts = spell_out(url)
    plain = texts == [url] and not _is_wildcard(split(url)[1])
    if plain or locate(url).kind():
        return [locate(url)]
    return [place for text in texts for place in _find(text)]


def _is_wildcard(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _find(url: str) -> list[Place]:
    root, path, options = split(url)
    if not _is_wildcard(path):
        return [locate(url)]
    matching = list(_match(locate(root + options), path.split("/")))
    if not matching:
        raise DataError(f"Nothing matches {url}.", next_step="Quote it from the shell.")
    return matching


def _match(place: Place, parts: list[str]) -> Iterator[Place]:
    """Yield what lies below ``place`` by ``parts``, which may be wildcards."""
    if not parts:
        yield place
    elif not _is_wildcard(parts[0]):
        yield from (below for below in _match(place / parts[0], parts[1:]) if below.kind())
    else:
        for name in place.names():
            if fnmatchcase(name, parts[0]) and not name.startswith("."):
                yield from _match(place / name, parts[1:])
