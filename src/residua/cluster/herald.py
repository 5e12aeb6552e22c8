"""What workers say, brought to the process that the user sees."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PAUSE = 0.3  # seconds between two looks


class _Board:
    """An actor: lines in the order in which they came, and counts."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._counts: dict[str, int] = {}
        self._failure: tuple[str, str] | None = None

    def say(self, line: str) -> None:
        self._lines.append(line)

    def count(self, **more: int) -> None:
        for name, value in more.items():
            self._counts[name] = self._counts.get(name, 0) + value

    def fail(self, problem: str, next_step: str) -> None:
        """Note why there is no use in trying again."""
        self._failure = (problem, next_step)

    def failure(self) -> tuple[str, str] | None:
        return self._failure

    def take(self) -> tuple[list[str], dict[str, int]]:
        """Return the lines since the last call, and all counts so far."""
        lines, self._lines = self._lines, []
        return lines, dict(self._counts)


@contextmanager
def listening(hear: Callable[[list[str], dict[str, int]], None]) -> Iterator[Any]:
    """Give a board for workers (``board.say.remote``, ``board.count.remote``), and ``hear`` it.

    A thread asks it three times a second; at the end what is left is heard. The board is on the
    machine that hears it: whichever else is lost, it is not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board: Any = ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote()
    ending = threading.Event()

    def look() -> bool:
        try:
            hear(*ray.get(board.take.remote(), timeout=30))
        except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
            return False  # the machine that it was on is gone: nothing is lost but words
        return True

    def watch() -> None:
        while not ending.wait(_PAUSE) and look():
            pass

    thread = threading.Thread(target=watch, name="herald", daemon=True)
    thread.start()
    try:
        yield board
    finally:
        ending.set()
        thread.join()
        look()
        ray.kill(board)
