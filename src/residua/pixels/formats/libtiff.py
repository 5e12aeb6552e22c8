"""Silence for libtiff, which writes what it finds in damaged files to standard error by itself."""

import ctypes
from functools import cache

from PIL import _imaging


@cache
def silence_libtiff() -> None:
    """Take libtiff's handler of errors away, once and for the whole process.

    What is wrong with a file comes as an exception anyway; lines of C between ours only confuse.
    Pillow itself has switched the warnings off. The handler is one pointer that libtiff reads at
    each error, so that threads which decode meanwhile come to no harm. Where Pillow is built
    without libtiff, or with its symbols hidden, nothing happens.
    """
    try:
        # Found through Pillow's own extension: it is the very libtiff that Pillow has loaded.
        handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):
        return
    handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    handler(None)
