"""Ctrl-C and SIGTERM in a command on a cluster: a sentence, and the exit code of a signal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def going_on() -> Iterator[None]:
    """End a command that is asked to stop with StoppedError: the same command goes on.

    Within a connection to the cluster: what Ray does at SIGTERM is for its own processes.
    """
    from residua.base.errors import StoppedError

    terminated = False

    def stop(*_: Any) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    own = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if own else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # the latter is what Ray Train makes of Ctrl-C
        raise StoppedError(
            "Stopped." if terminated else "Interrupted.",
            exit_code=143 if terminated else 130,
            next_step="The same command goes on with what is left.",
        ) from None
    finally:
        if own:
            signal.signal(signal.SIGTERM, before)
