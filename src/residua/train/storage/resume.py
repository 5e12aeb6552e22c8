"""Beginning a run, or going on with an interrupted one: decided by what lies in its folder."""

from dataclasses import dataclass, field
from typing import Any

from residua.evaluate.ranks import Ranks
from residua.train.storage.checkpoint import Checkpoint, read_newest, remove_strays
from residua.train.storage.run_folder import Identity, RunFolder


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an interrupted run has left: its checkpoint, and the settings chosen when it began.

    Both are empty for a run that begins. ``notes`` say what is going on.
    """

    checkpoint: Checkpoint | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def record_bytes(self) -> int:
        """How much of the record of the run is kept."""
        return int(self.checkpoint.numbers["record_bytes"]) if self.checkpoint else 0


def open_run(
    folder: RunFolder | None, identity: Identity, ranks: Ranks, *, restart: bool
) -> Resumed:
    """Begin a run in ``folder``, or read what an interrupted one of the same ``identity`` has left.

    The first process decides for all. Raises SettingError where another interrupted run lies there,
    and CheckpointError where none of its checkpoints can be read.
    """
    if folder is None:
        return Resumed()
    resumed = _open(folder, identity, restart=restart) if ranks.first else None
    shared: Resumed = ranks.share(resumed)
    return shared


def _open(folder: RunFolder, identity: Identity, *, restart: bool) -> Resumed:
    folder.lock()
    if restart or not folder.is_unfinished():
        folder.begin(identity)
        return Resumed()
    if not folder.has_something_to_lose() and not folder.is_of(identity):
        folder.begin(identity)  # of a run that ended before its first checkpoint
        return Resumed()
    folder.refuse_another(identity)
    remove_strays(folder.checkpoints)
    checkpoint, problems = read_newest(folder.checkpoints)
    notes = tuple(f"{problem} The one before it is used." for problem in problems)
    if checkpoint is None:
        notes += (f"{folder.path} was interrupted before its first checkpoint: it begins anew.",)
        return Resumed(None, folder.chosen(), notes)
    position = checkpoint.numbers["position"]
    where = f"{position['updates']} updates (in epoch {position['epoch'] + 1})"
    going_on = f"Going on with {folder.path} after {where}; --restart would begin anew."
    return Resumed(checkpoint, folder.chosen(), (*notes, going_on))
