"""A picture of a job, before anybody has read it."""

from dataclasses import dataclass

from residua.base.errors import ImageError

ADDRESSES = ("http://", "https://")  # of web servers, not of storage


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
