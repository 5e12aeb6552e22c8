"""Trackers that get a run's numbers besides the JSON lines: TensorBoard, W&B, MLflow.

Each is imported when it is asked for (extra ``track``). ``update`` among the numbers, counted over
the whole run, is the step of each tracker's curves.
"""

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from residua.base.errors import MissingExtraError, SettingError

Numbers = Mapping[str, float | int]


class Tracker(Protocol):
    """What the record of a run passes numbers on to."""

    def log(self, event: str, numbers: Numbers) -> None:
        """Take the numbers of a "step" or an "epoch"."""

    def close(self) -> None:
        """Write out what is held back."""


def make_trackers(
    names: Sequence[str], *, folder: Path, settings: Mapping[str, Any]
) -> tuple[Tracker, ...]:
    """Return the trackers of these names for the run in ``folder``, with its recipe as settings.

    Raises MissingExtraError for one whose library is not installed, SettingError for one that does
    not begin a run.
    """
    makers: dict[str, Callable[[Path, Mapping[str, Any]], Tracker]] = {
        "tensorboard": _TensorBoard, "wandb": _WandB, "mlflow": _MLflow
    }  # fmt: skip
    return tuple(makers[name](folder, settings) for name in names)


def require_trackers(names: Sequence[str]) -> None:
    """Raise MissingExtraError, before any work, for a tracker whose library is not installed."""
    for name in names:
        if name not in sys.modules and find_spec(name) is None:
            raise MissingExtraError(name, "track")


class _TensorBoard:
    """Event files in ``RUN/tensorboard``: tensorboard --logdir RUN."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "track") from error
        self._writer = SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("recipe", f"```\n{dict(settings)}\n```")

    def log(self, event: str, numbers: Numbers) -> None:
        for name, value in numbers.items():
            if name != "update":
                self._writer.add_scalar(f"{event}/{name}", value, int(numbers["update"]))

    def close(self) -> None:
        self._writer.close()


class _WandB:
    """A run of Weights & Biases, named after the folder; the same again after an interruption."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("wandb", "track") from error
        place = folder / "wandb.id"
        folder.mkdir(parents=True, exist_ok=True)
        identity = place.read_text().strip() if place.is_file() else secrets.token_hex(4)
        place.write_text(identity)
        try:
            self._run = wandb.init(
                project="residua", name=folder.stem, id=identity, resume="allow",
                dir=str(folder), config=dict(settings),
            )  # fmt: skip
        except (wandb.errors.Error, OSError, ValueError) as error:
            # No key, a wrong one, no network: each has its own class and a long message.
            raise SettingError(
                f"Weights & Biases did not begin a run: {_first_line(error)}",
                next_step="Log in (wandb login, or set WANDB_API_KEY); or set WANDB_MODE=offline, "
                "which keeps the numbers on this disk (wandb sync sends them later).",
            ) from error

    def log(self, event: str, numbers: Numbers) -> None:
        self._run.log({f"{event}/{name}": value for name, value in numbers.items()})

    def close(self) -> None:
        self._run.finish()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class _MLflow:
    """A run of MLflow on the server that MLFLOW_TRACKING_URI names."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise MissingExtraError("mlflow-skinny", "track") from error
        self._client = mlflow
        if "MLFLOW_TRACKING_URI" not in os.environ:
            raise SettingError(
                "MLflow was asked for, and MLFLOW_TRACKING_URI does not say where it is.",
                next_step="Start a server (mlflow server) and set it, as in "
                "MLFLOW_TRACKING_URI=http://127.0.0.1:5000",
            )
        flat = {
            f"{part}.{key}": str(value)[:250]
            for part, values in settings.items()
            for key, value in (values or {}).items()
        }
        try:
            mlflow.set_experiment("residua")
            mlflow.start_run(run_name=folder.stem)
            mlflow.log_params(flat)
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise SettingError(
                f"MLflow at {os.environ['MLFLOW_TRACKING_URI']} did not begin a run: "
                f"{_first_line(error)}",
                next_step="Check that the server is there: MLFLOW_TRACKING_URI names it.",
            ) from error

    def log(self, event: str, numbers: Numbers) -> None:
        values = {f"{event}/{k}": float(v) for k, v in numbers.items() if k != "update"}
        self._client.log_metrics(values, step=int(numbers["update"]))

    def close(self) -> None:
        self._client.end_run()
