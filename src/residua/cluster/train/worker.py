"""What each process of a training on a cluster does: it trains, and hands checkpoints over.

The first process writes the run's folder on its own disk; after each checkpoint the folder goes to
the shared storage, and whoever begins anew, with however many processes, takes the newest from
there. With the bundle goes the run as it was at its last checkpoint: should the command be lost
before it has fetched the bundle, the same command writes it again from there.
"""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.base.errors import ResiduaError
from residua.base.words import count_of
from residua.data.settings import DataPart
from residua.data.sources.parts import open_parts
from residua.evaluate.ranks import Ranks
from residua.train.display import Display
from residua.train.recipe.tree import Recipe
from residua.train.run import Trained, train
from residua.train.update.reports import StepReport

RUN, BUNDLE, LAST = "model.run", "model.bundle", "last"  # within what goes to the storage
_PAUSE = 30.0  # seconds between two lines on the steps


@dataclass(frozen=True, slots=True)
class Told:
    """What the user has given, and shall read: the bundle, the run's folder, the command."""

    output: str
    run_folder: str
    command: list[str]

    def spell(self, text: str, folder: Path) -> str:
        """Return a line in which ``folder``, where a process keeps both, is not named."""
        text = text.replace(str(folder / RUN), self.run_folder)
        return text.replace(str(folder / BUNDLE), self.output)


@dataclass(frozen=True, slots=True)
class Task:
    """A training as its processes get it: where the pictures are, and how they are read.

    ``board`` takes what is to be said.
    """

    recipe: Recipe
    data: str
    validation: str
    settings: DataPart
    threads: int
    device: str
    board: Any
    told: Told


class _Announcing(Display):
    """Says what the first process says where the user sees it."""

    def __init__(self, task: Task, folder: Path, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._board, self._shown = task.board, time.monotonic()
        self._told, self._folder = task.told, folder

    def say(self, text: str) -> None:
        if not self._quiet:
            self._board.say.remote(self._told.spell(text, self._folder))

    def show_step(self, report: StepReport, epochs: int) -> None:
        left = self._left(report.epoch, epochs)
        if time.monotonic() - self._shown > _PAUSE:
            self._shown = time.monotonic()
            self.say(
                f"epoch {report.epoch:.2f} of {epochs}  loss {report.loss:.4f}  "
                f"lr {report.lr:.2g}  {report.images_per_second:.0f} images/s  {left}"
            )

    def show_count(self, done: int, total: int, text: str) -> None:
        """Leave it: it was for one line that is written anew."""


def work(config: dict[str, Task]) -> Trained | None:
    """Train ``config["task"]`` as one process of Ray Train; the first returns what it gave."""
    import ray

    task = config["task"]
    if ray.get(task.board.failure.remote()):
        raise RuntimeError("Another process has said why this cannot be trained.")
    sys.argv = task.told.command  # which the run notes
    with tempfile.TemporaryDirectory(prefix="residua-") as name:
        folder = Path(name) / "whole"
        try:
            return _work(task, folder)
        except ResiduaError as error:
            said = [task.told.spell(text, folder) for text in (error.problem, error.next_step)]
            ray.get(task.board.fail.remote(*said))
            raise


def _work(task: Task, folder: Path) -> Trained | None:
    import torch
    from ray import train as ray_train

    context = ray_train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size(), context.get_local_rank())
    torch.set_num_threads(task.threads)
    if task.device != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(ranks.local_rank)
    display = _Announcing(task, folder, quiet=not ranks.first)
    last = folder.with_name(LAST)
    folder.mkdir()
    found = ray_train.get_checkpoint()
    if ranks.first and found is not None:
        found.to_directory(folder)
        _go_back(folder)

    def report(updates: int) -> None:
        own = ray_train.Checkpoint.from_directory(folder) if ranks.first else None
        ray_train.report({"updates": updates}, checkpoint=own)

    def hand_over(updates: int) -> None:
        if ranks.first:
            shutil.rmtree(last, ignore_errors=True)
            shutil.copytree(folder / RUN, last, copy_function=os.link)
        report(updates)

    parts = open_parts(task.data, task.settings, validation=task.validation or None)
    display.say(
        f"{count_of(ranks.world, 'process', 'processes')}, each of "
        f"{count_of(task.threads, 'thread')}."
    )
    trained = train(
        task.recipe, parts, output=folder / BUNDLE, run_folder=folder / RUN,
        device=task.device, ranks=ranks, display=display, saved=hand_over,
    )  # fmt: skip
    if last.exists():
        last.rename(folder / LAST)
    report(-1)  # with the bundle
    return trained if ranks.first else None


def _go_back(folder: Path) -> None:
    """Make of a run that had ended the run that it was at its last checkpoint."""
    if (folder / BUNDLE).exists():
        shutil.rmtree(folder / BUNDLE)
        shutil.rmtree(folder / RUN)
        (folder / LAST).rename(folder / RUN)
