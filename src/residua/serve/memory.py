"""Memory that is given back: pictures of many sizes, decoded in threads, would scatter the heap.

glibc keeps what was freed for the next of the same size, in each thread's own arena; a server that
has met a few enormous pictures would stay as large as they were (mallopt(3)).
"""

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of glibc's malloc.h
_LARGE = 4 << 20  # bytes: from here on memory of its own, which goes back to the system at once
_ARENAS = 2


def give_back_memory() -> None:
    """Let large pieces go back to the system when they are freed; elsewhere than on glibc nothing.

    To be called before the threads start.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)
