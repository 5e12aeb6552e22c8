"""Stopping a run on request: SIGTERM (pre-emption) and Ctrl-C let it write a checkpoint first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from torch import distributed

from residua.evaluate.ranks import Ranks


class StopRequest:
    """Whether a stop was asked for, agreed between all processes at the same update.

    Each process sends its flag at one update and reads the sum at the next, so that nothing waits;
    a signal that only one of them has got stops all.
    """

    def __init__(self, ranks: Ranks) -> None:
        """No stop is asked for yet."""
        self.signal_name = ""
        self._ranks = ranks
        self._group = None
        if ranks.world > 1 and distributed.get_backend() != "gloo":
            self._group = distributed.new_group(backend="gloo")  # the flag stays on the processor
        self._sent: tuple[torch.Tensor, distributed.Work] | None = None

    def agreed(self) -> bool:
        """Tell, once an update, whether all are to stop now."""
        if self._ranks.world == 1:
            return bool(self.signal_name)
        stopping = False
        if self._sent is not None:
            flag, work = self._sent
            work.wait()
            stopping = bool(flag.item())
        flag = torch.tensor([1.0 if self.signal_name else 0.0])
        self._sent = (flag, distributed.all_reduce(flag, group=self._group, async_op=True))
        return stopping

    def finish(self) -> None:
        """Receive what is still on its way."""
        if self._sent is not None:
            self._sent[1].wait()
            self._sent = None


@contextmanager
def listening(request: StopRequest) -> Iterator[None]:
    """Turn SIGTERM and the first Ctrl-C into a request; a second Ctrl-C interrupts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen
        request.finish()
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal_name = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield
        request.finish()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
