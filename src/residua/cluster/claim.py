"""One command at a time in a folder: a lock where the folder is of this machine, else a claim.

A storage has no locks. A claim is a file there that its command writes anew every few seconds; who
finds another's that changes goes away, and who finds one that does not takes its place.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from residua.base.errors import SettingError
from residua.base.files import try_lock
from residua.cluster.storage import Place

BEAT, DEAD = 4.0, 15.0  # seconds from one writing to the next; after which a claim is nobody's
_LOOK = 1.0


@contextmanager
def claimed(
    folder: Place, doing: str, say: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Keep other commands out of ``folder`` for the length of the block.

    Waits while it cannot tell, which it says. Raises SettingError where another command is in it,
    and is ``doing`` what this one wants to do.
    """
    refused = SettingError(
        f"Another command is {doing} now.",
        next_step="Wait for it, stop it, or choose another place.",
    )
    if folder.is_remote:
        with _claimed_there(folder / ".claims", refused, say):
            yield
        return
    unlock = try_lock(Path(folder.path) / ".lock")
    if unlock is None:
        raise refused
    try:
        yield
    finally:
        unlock()


@contextmanager
def _claimed_there(
    folder: Place, refused: SettingError, say: Callable[[str], None]
) -> Iterator[None]:
    own = folder.make() / f"{time.time():017.3f}-{uuid.uuid4().hex}"
    ending = threading.Event()
    _write(own, "waiting 0")
    try:
        _wait_for_others(folder, own, refused, say)
        _write(own, "running 0")

        def beat() -> None:
            count = 0
            while not ending.wait(BEAT):
                count += 1
                with suppress(OSError):  # the next may be written again
                    _write(own, f"running {count}")

        thread = threading.Thread(target=beat, name="claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()
    finally:
        with suppress(OSError):
            own.system.delete_file(own.path)


def _wait_for_others(
    folder: Place, own: Place, refused: SettingError, say: Callable[[str], None]
) -> None:
    """Return once no other claim holds. Of commands that wait the first comes before the others."""
    seen: dict[str, tuple[str, float]] = {}
    count = 0
    while True:
        waiting = False
        for name in folder.names():
            if name == own.name:
                continue
            said = _read(folder / name)
            first, since = seen.setdefault(name, (said, time.monotonic()))
            if said not in {first, ""}:
                if said.startswith("running") or name < own.name:
                    raise refused
                continue  # it will go away
            if time.monotonic() - since > DEAD:
                with suppress(OSError):
                    folder.system.delete_file((folder / name).path)
                continue
            waiting = True
        if not waiting:
            return
        if not count:
            say("Another command has begun there: waiting to see whether it still works.")
        count += 1
        time.sleep(_LOOK)
        _write(own, f"waiting {count}")


def _write(place: Place, text: str) -> None:
    with place.system.open_output_stream(place.path) as file:
        file.write(text.encode())


def _read(place: Place) -> str:
    try:
        return place.read().decode()
    except OSError:  # it has gone
        return ""
