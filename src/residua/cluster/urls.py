"""URLs of files as people write them, and as the tools of their stores take them.

A space is a space, and %20 three characters. Options are pyarrow's, at the end:
``s3://bucket/photos?region=eu-west-1&endpoint_override=host:port``.
"""

import re
from pathlib import PurePosixPath

_ROOT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_OPTIONS = re.compile(r"\?[a-z_]+=[^?]*$")
_WITH_OPTIONS = ("s3://", "gs://", "gcs://", "abfs://", "abfss://", "hdfs://")


def is_url(text: str) -> bool:
    """Tell whether ``text`` names a file by a URL, not by a path."""
    return _ROOT.match(text) is not None


def split(url: str) -> tuple[str, str, str]:
    """Return the store, the path within it, and the options with their question mark.

    >>> split("s3://bucket/a b/c.tar?region=eu-west-1")
    ('s3://bucket/', 'a b/c.tar', '?region=eu-west-1')
    """
    found = _ROOT.match(url)
    if found is None or "::" in url:  # a path, or a chain of fsspec's
        return url, "", ""
    root, rest, options = found.group(), url[found.end() :], ""
    if url.startswith(_WITH_OPTIONS) and (asked := _OPTIONS.search(rest)):
        rest, options = rest[: asked.start()], asked.group()
    return f"{root}/", rest.removeprefix("/"), options


def join(url: str, name: str) -> str:
    """Return the URL, or the path, of what lies below ``url``."""
    root, path, options = split(url)
    return f"{root}{path}".rstrip("/") + f"/{name}{options}"


def parent(url: str) -> str:
    """Return the URL of the folder that ``url`` lies in."""
    root, path, options = split(url)
    return f"{root}{path.rpartition('/')[0]}{options}"


def suffix(url: str) -> str:
    """Return the suffix of the file that ``url`` names, as ".jpg", or "".

    >>> suffix("s3://bucket/a.JPG?region=eu-west-1")
    '.jpg'
    """
    root, path, _ = split(url)
    return PurePosixPath(path or root).suffix.lower()
