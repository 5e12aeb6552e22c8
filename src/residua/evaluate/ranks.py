"""The processes of a run: who am I, how many are we, and how we tell each other things.

``torchrun --nproc-per-node N -m residua train …`` starts N processes; a plain start is one. All
code below takes ``Ranks`` and works for one process without torch.distributed.
"""

import datetime as dt
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from residua.base.errors import ResiduaError, spell_error

T = TypeVar("T")

_TIMEOUT = dt.timedelta(minutes=30)
_PATIENCE = dt.timedelta(seconds=5)
# What gloo and NCCL say of a peer that is gone.
_ANOTHER_ENDED = (
    "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Socket closed",
    "remote process exited", "connectFullMesh failed",
)  # fmt: skip
_LAST_WORDS = "residua/last-words"


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's number ``rank`` of ``world``, and its number on this machine."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks to the user."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return the picklable ``value`` of every process, in the order of their numbers."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values

    def share(self, value: Any) -> Any:
        """Return the ``value`` of the first process to all."""
        if self.world == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def together(self, work: Callable[[], T], *, pause: float = 5.0) -> T:
        """Run ``work`` in every process; return its own once all have ended, however long it takes.

        Processes that wait for another are given up after half an hour; these keep in touch.
        """
        if self.world == 1:
            return work()
        box: list[Any] = []
        thread = threading.Thread(target=_keep, args=(work, box), daemon=True)
        thread.start()
        while not all(self.gather(not thread.is_alive())):
            thread.join(pause)
        outcome, error = box[0]
        if error is not None:
            raise error
        result: T = outcome
        return result

    def add(self, tensor: Tensor) -> Tensor:
        """Add up ``tensor`` over all processes, in place, and return it."""
        if self.world > 1:
            distributed.all_reduce(tensor)
        return tensor

    def copy_from_first(self, tensors: list[Tensor]) -> None:
        """Overwrite ``tensors`` with those of the first process."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)


SINGLE = Ranks()


def _keep(work: Callable[[], Any], box: list[Any]) -> None:
    """Put what ``work`` gives, or its error, into ``box``."""
    try:
        box.append((work(), None))
    except BaseException as error:  # noqa: BLE001  # raised again where it was asked for
        box.append((None, error))


@contextmanager
def joining(device: str = "auto") -> Iterator[Ranks]:
    """Join the other processes that torchrun started, if it did, for the length of the block.

    Talks through NCCL on GPUs, one a process, and through gloo on processors. An error that the
    processes share (as most are, of data and settings) is printed by the first alone and ends each
    with exit code 1.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 and "RANK" not in os.environ:
        yield SINGLE
        return
    ranks = Ranks(int(os.environ["RANK"]), world, int(os.environ.get("LOCAL_RANK", "0")))
    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(ranks.local_rank)
    store, rank, _ = next(rendezvous("env://", timeout=_TIMEOUT))
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        # torchrun keeps its store over a restart, and in it the addresses of those that died.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = distributed.distributed_c10d.PrefixStore(f"residua/{attempt}", store)
    distributed.init_process_group(
        "nccl" if gpu else "gloo", store=store, rank=rank, world_size=world, timeout=_TIMEOUT
    )
    try:
        yield ranks
    except (ResiduaError, OSError) as error:
        _tell(spell_error(error), ranks, store)
        raise SystemExit(1) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _ANOTHER_ENDED):
            raise
        sys.stderr.write(
            f"Process {ranks.rank} of {world}: another process of the run has ended, so this one "
            "ends too. What the other said is above; if it said nothing, it was killed.\n"
        )
        raise SystemExit(1) from error
    # After an error the others may wait for what never comes; ending the process frees them.
    distributed.destroy_process_group()


def _tell(text: str, ranks: Ranks, store: Any) -> None:
    """Print why this process ends; another than the first, unless the first says the same.

    The first prints before it tells the others: once one of them has ended, torchrun ends it.
    """
    if ranks.first:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        store.set(_LAST_WORDS, text)
    elif not _is_said(text, store):
        sys.stderr.write(f"Process {ranks.rank} of {ranks.world}: {text}\n")


def _is_said(text: str, store: Any) -> bool:
    """Tell whether the first process ends with ``text`` too, in the next few seconds."""
    try:
        store.wait([_LAST_WORDS], _PATIENCE)
        return bool(store.get(_LAST_WORDS).decode() == text)
    except RuntimeError:  # it goes on, or is gone with the store
        return False
