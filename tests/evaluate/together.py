"""Several processes played by threads: each meets the others where it gathers."""

import threading
from concurrent.futures import ThreadPoolExecutor


class _Meeting:
    def __init__(self, world):
        self.barrier = threading.Barrier(world)
        self.values = [None] * world


class Together:
    """What ``Ranks`` offers, between threads."""

    def __init__(self, rank, world, meeting):
        self.rank, self.world, self.local_rank = rank, world, rank
        self._meeting = meeting

    @property
    def first(self):
        return self.rank == 0

    def gather(self, value):
        meeting = self._meeting
        meeting.values[self.rank] = value
        meeting.barrier.wait(60)
        values = list(meeting.values)
        meeting.barrier.wait(60)
        return values

    def share(self, value):
        return self.gather(value)[0]


def run_together(world, work):
    """The results of ``work(ranks)`` of each of ``world`` processes, in their order."""
    meeting = _Meeting(world)
    with ThreadPoolExecutor(world) as pool:
        return list(pool.map(work, [Together(rank, world, meeting) for rank in range(world)]))
