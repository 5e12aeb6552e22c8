"""When a run is written to disk, and what: checkpoints now and then, the best weights so far."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from residua.base.errors import BundleDamagedError, CheckpointError
from residua.evaluate.ranks import Ranks
from residua.train.display import Display
from residua.train.recipe.tree import OutputPart
from residua.train.storage.checkpoint import Checkpoint, write_checkpoint
from residua.train.storage.record import RunRecord
from residua.train.storage.run_folder import RunFolder
from residua.train.storage.state import TrainingState
from residua.zoo.load import export_tensors

Saved = Callable[[int], None]

_SECONDS = 120.0  # between checkpoints, where the recipe counts no steps


class Keeper:
    """Writes the state of a run; with no folder it writes nothing, and keeps the best in memory.

    A disk that is full ends no run: it is said, and tried again the next time.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        part: OutputPart,
        ranks: Ranks,
        record: RunRecord,
        display: Display,
        saved: Saved | None = None,
    ) -> None:
        """Only the first process writes; the others take part in the decisions.

        ``saved`` is called by all of them after each checkpoint, with the updates so far.
        """
        self.folder = folder
        self._saved = saved
        self._part, self._ranks, self._record, self._display = part, ranks, record, display
        self._written = time.monotonic()
        self._best: dict[str, np.ndarray] | None = None

    def is_due(self, updates: int, *, logging: bool) -> bool:
        """Tell, with the same answer on every process, whether to write after this update.

        Where the recipe counts no steps the first process's clock decides, at logging steps.
        """
        if self.folder is None:
            return False
        if self._part.checkpoint_every:
            return updates % self._part.checkpoint_every == 0
        if not logging:
            return False
        return bool(self._ranks.share(time.monotonic() - self._written > _SECONDS))

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint; all processes call this together."""
        if self.folder is None:
            return
        sums = self._ranks.gather(state.meter.sums.tolist())
        self._written = time.monotonic()
        if self._ranks.first:
            self._write(state, sums)
        if self._saved is not None:
            self._saved(state.position.updates)

    def _write(self, state: TrainingState, sums: list[Any]) -> None:
        assert self.folder is not None  # noqa: S101  # as save has seen
        numbers: dict[str, Any] = {
            **state.numbers(),
            "record_bytes": self._record.bytes_written,
            "meter": {
                "sums": sums, "steps": state.meter.steps, "epoch_steps": state.meter.epoch_steps
            },
        }  # fmt: skip
        try:
            write_checkpoint(
                self.folder.checkpoints, state.position.updates, state.tensors(), numbers,
                keep=self._part.keep,
            )  # fmt: skip
        except CheckpointError as error:
            self._display.say(f"Warning: {error}")

    def save_best(self, state: TrainingState) -> None:
        """Keep the weights that the network has now; called with the average in place."""
        if not self._ranks.first:
            return
        tensors = export_tensors(state.network)
        if self.folder is None:
            self._best = tensors
            return
        try:
            self.folder.write_best(state.best.epoch, tensors)
        except CheckpointError as error:
            self._display.say(f"Warning: {error}")

    def read_best(self, epoch: int) -> dict[str, np.ndarray] | None:
        """Return the weights of the best validation, after ``epoch``, to every process.

        None, with a warning, where they are missing or altered on disk.
        """
        tensors = None
        if self._ranks.first:
            try:
                tensors = self._best or (self.folder and self.folder.read_best(epoch))
            except BundleDamagedError as error:
                self._display.say(f"Warning: {error} The weights of the last epoch are taken.")
        shared: dict[str, np.ndarray] | None = self._ranks.share(tensors)
        return shared


def take_up(state: TrainingState, checkpoint: Checkpoint, ranks: Ranks) -> None:
    """Put what ``checkpoint`` holds into ``state``."""
    state.load(checkpoint.tensors, checkpoint.numbers)
    meter = checkpoint.numbers["meter"]
    sums = torch.tensor(meter["sums"], dtype=torch.float64)  # [processes, 2]
    if len(sums) == ranks.world:
        state.meter.sums.copy_(sums[ranks.rank])
    elif ranks.first:  # another number of processes: the first has it all
        state.meter.sums.copy_(sums.sum(dim=0))
    state.meter.steps, state.meter.epoch_steps = meter["steps"], meter["epoch_steps"]
