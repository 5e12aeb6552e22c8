"""A training on a cluster, seen from where it was started: processes, storage, what comes back.

    STORAGE/NAME-KEY/    what Ray Train keeps: the newest checkpoints, each the whole run folder
    NAME.bundle          at the end, with NAME.run beside it, as of any training

The same command goes on with what an interrupted training has left in the storage. The effective
batch is the recipe's, however many processes there are: each computes its share of the rows.
"""

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from residua.base.errors import ResiduaError, SettingError, TrainingError
from residua.base.files import replacing_folder
from residua.base.words import count_of
from residua.bundle.store import read_bundle
from residua.cluster.claim import claimed
from residua.cluster.connect import Cluster
from residua.cluster.herald import listening
from residua.cluster.storage import Place
from residua.cluster.train.worker import BUNDLE, RUN, Task, Told, work
from residua.data.settings import DataPart
from residua.train.recipe.file import change
from residua.train.recipe.tree import Recipe
from residua.train.run import Trained

_KEPT = 2  # checkpoints in the storage


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a training runs: between two numbers of processes, each with so many threads.

    ``storage`` is seen by all machines; ``failures`` is how often it begins anew, from the newest
    checkpoint, after a process or a machine is lost.
    """

    workers: tuple[int, int]
    storage: Place
    threads: int | None = None
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where the pictures are, by paths that every machine has, and how they are read."""

    data: str
    validation: str
    settings: DataPart


def train_on_cluster(
    recipe: Recipe, *, output: Path, run_folder: Path, restart: bool, device: str,
    say: Callable[[str], None], pictures: Pictures, placing: Placing, cluster: Cluster,
) -> Trained:  # fmt: skip
    """Train on the cluster that the process is connected to; write ``output`` and ``run_folder``.

    Raises SettingError where the recipe's batch is too small for so many processes, or the cluster
    for the fewest, TrainingError where it failed more often than it may.
    """
    gpu = device != "cpu" and cluster.gpus > 0
    threads = placing.threads or max(1, cluster.cores // placing.workers[1])
    _check_room(recipe, placing, cluster, threads, gpu=gpu)
    name = _name_storage(output, pictures)
    claims = (placing.storage / f".{name}").make()
    with claimed(claims, f"training {output} in {placing.storage.url}", say):
        if restart:
            (placing.storage / name).remove()
        trained = _train(
            recipe, name, output=output, run_folder=run_folder, device=device if gpu else "cpu",
            threads=threads, say=say, pictures=pictures, placing=placing,
        )  # fmt: skip
        (placing.storage / name).remove()
    claims.remove()
    return trained


def _name_storage(output: Path, pictures: Pictures) -> str:
    """Return the name of a training in the storage: that of its bundle, for these pictures."""
    said = [str(output.absolute()), *map(_make_absolute, (pictures.data, pictures.validation))]
    return f"{output.stem}-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]}"


def _train(
    recipe: Recipe, name: str, *, output: Path, run_folder: Path, device: str, threads: int,
    say: Callable[[str], None], pictures: Pictures, placing: Placing,
) -> Trained:  # fmt: skip
    """Let the processes train, and bring what they have left in the storage."""

    def hear(lines: list[str], _: dict[str, int]) -> None:
        for line in lines:
            say(line)

    with listening(hear) as board:
        task = Task(
            _make_paths_absolute(recipe), _make_absolute(pictures.data),
            _make_absolute(pictures.validation), pictures.settings, threads, device, board,
            Told(str(output), str(run_folder), sys.argv),
        )  # fmt: skip
        result = _fit(task, name, placing, gpu=device != "cpu")
    with result.checkpoint.as_directory() as found:
        _bring(Path(found), output, run_folder)
    trained: Trained = result.return_value
    return replace(trained, bundle=read_bundle(output))


def _check_room(
    recipe: Recipe, placing: Placing, cluster: Cluster, threads: int, *, gpu: bool
) -> None:
    fewest, most = placing.workers
    if recipe.loop.batch_size < 2 * most:
        raise SettingError(
            f"Batches of {recipe.loop.batch_size} for up to {most} processes: each needs two "
            "pictures at least.",
            next_step=f"--batch-size {2 * most}, or fewer --workers.",
        )
    room = cluster.gpus if gpu else cluster.cores // threads
    if room < fewest:
        cores = f"{count_of(cluster.cores, 'core')}, {threads} a process"
        has = count_of(cluster.gpus, "GPU") if gpu else cores
        raise SettingError(
            f"{fewest} processes do not find room: the cluster has {has}.",
            next_step=f"--workers {max(1, room)}" + ("" if gpu else ", or fewer --threads."),
        )


def _fit(task: Task, name: str, placing: Placing, *, gpu: bool) -> Any:
    """Return Ray Train's result. Raises TrainingError, or what the processes have failed of."""
    import ray
    from ray import train as ray_train
    from ray.train.torch import TorchConfig, TorchTrainer

    fewest, most = placing.workers
    resources = {"GPU": 1} if gpu else {"CPU": task.threads}
    workers: Any = most if fewest == most else (fewest, most)
    scaling = ray_train.ScalingConfig(
        num_workers=workers, use_gpu=gpu, resources_per_worker=resources
    )
    make: Any = TorchTrainer  # whose types are those of an older Ray
    trainer = make(
        work,
        train_loop_config={"task": task},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=scaling,
        run_config=ray_train.RunConfig(
            name=name, storage_path=placing.storage.path,
            storage_filesystem=placing.storage.system,
            failure_config=ray_train.FailureConfig(max_failures=placing.failures),
            checkpoint_config=ray_train.CheckpointConfig(num_to_keep=_KEPT),
        ),
    )  # fmt: skip
    logger = logging.getLogger("ray.train")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return trainer.fit()
    except ray_train.TrainingFailedError as error:
        if failure := ray.get(task.board.failure.remote()):
            raise TrainingError(failure[0], next_step=failure[1]) from error
        raise TrainingError(
            f"The training failed {placing.failures + 1} times. The last: {_last_line(error)}",
            next_step="The same command goes on from the last checkpoint.",
        ) from error
    finally:
        logger.setLevel(level)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _bring(found: Path, output: Path, run_folder: Path) -> None:
    """Copy the bundle and the run's folder out of the last checkpoint."""
    for source, target in ((found / RUN, run_folder), (found / BUNDLE, output)):
        if not source.exists():
            raise ResiduaError(f"The training has ended without {source.name} in its storage.")
        with replacing_folder(target) as scratch:
            shutil.copytree(source, scratch, dirs_exist_ok=True)


def _make_paths_absolute(recipe: Recipe) -> Recipe:
    """Return the recipe with absolute paths: processes elsewhere have other working folders."""
    values = {
        "model.pretrained": recipe.model.pretrained, "data.root": recipe.data.root,
        "data.label_map": recipe.data.label_map,
    }  # fmt: skip
    return change(recipe, {key: _make_absolute(value) for key, value in values.items() if value})


def _make_absolute(path: str) -> str:
    return str(Path(path).absolute()) if path and Path(path).exists() else path
