"""Trackers get every number with its update; a missing library or place is told."""

import builtins
import sys
import types

import pytest

from residua.base.errors import MissingExtraError, SettingError
from residua.train.storage.trackers import make_trackers

_SETTINGS = {"loop": {"epochs": 3}, "model": {"name": "ResNet18"}, "output": None}


def _track(name, folder):
    (tracker,) = make_trackers([name], folder=folder, settings=_SETTINGS)
    for update in (10, 20):
        tracker.log("step", {"update": update, "loss": 1 / update})
    tracker.log("epoch", {"update": 20, "val_top1": 0.5})
    tracker.close()


def test_tensorboard_reads_back_what_was_logged(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra: track)")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _track("tensorboard", tmp_path / "x.run")
    events = EventAccumulator(str(tmp_path / "x.run" / "tensorboard")).Reload()
    losses = [(event.step, event.value) for event in events.Scalars("step/loss")]
    assert losses == [(10, pytest.approx(0.1)), (20, pytest.approx(0.05))]
    assert events.Scalars("epoch/val_top1")[0].value == 0.5


def test_mlflow_without_a_place_is_told(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="mlflow is not installed (extra: track)")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingError, match="MLFLOW_TRACKING_URI"):
        _track("mlflow", tmp_path / "x.run")


def _pretend(monkeypatch, name, **members):
    """A library of this name for the length of the test."""
    library = types.ModuleType(name)
    for member, value in members.items():
        setattr(library, member, value)
    monkeypatch.setitem(sys.modules, name, library)


class _WandBError(Exception):
    """As wandb.errors.Error, the root of UsageError, AuthenticationError and CommError."""


@pytest.mark.parametrize(
    "error",
    [
        _WandBError("api_key not configured (no-tty). call wandb.login(key=[your_api_key])\nmore"),
        ValueError("API key must be 40 characters long, yours was 3"),
        ConnectionError(),
    ],
)
def test_wandb_that_does_not_begin_says_what_to_do(tmp_path, monkeypatch, error):
    def refuse(**_options):
        raise error

    errors = types.SimpleNamespace(Error=_WandBError)
    _pretend(monkeypatch, "wandb", init=refuse, errors=errors)
    with pytest.raises(SettingError, match="did not begin a run") as caught:
        _track("wandb", tmp_path / "x.run")
    assert (str(error).partition("\n")[0] or "ConnectionError") in caught.value.problem
    assert "more" not in caught.value.problem
    assert "wandb login" in caught.value.next_step
    assert "WANDB_MODE=offline" in caught.value.next_step


def test_wandb_gets_every_number_and_the_same_run_again(tmp_path, monkeypatch):
    begun, logged, finished = [], [], []

    def begin(**options):
        begun.append(options)
        return types.SimpleNamespace(log=logged.append, finish=lambda: finished.append(1))

    errors = types.SimpleNamespace(Error=_WandBError)
    _pretend(monkeypatch, "wandb", init=begin, errors=errors)
    for _ in range(2):
        _track("wandb", tmp_path / "x.run")
    assert begun[0]["id"] == begun[1]["id"]
    assert begun[0]["config"] == _SETTINGS
    assert logged[:3] == [
        {"step/update": 10, "step/loss": 0.1},
        {"step/update": 20, "step/loss": 0.05},
        {"epoch/update": 20, "epoch/val_top1": 0.5},
    ]
    assert len(finished) == 2


def test_an_mlflow_server_that_is_not_there_is_told(tmp_path, monkeypatch):
    class MlflowError(Exception):
        """As mlflow.exceptions.MlflowException."""

    def refuse(_name):
        raise MlflowError("API request to http://127.0.0.1:1 failed\nat great length")

    exceptions = types.SimpleNamespace(MlflowException=MlflowError)
    _pretend(monkeypatch, "mlflow", set_experiment=refuse, exceptions=exceptions)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(SettingError, match=r"MLflow at http://127\.0\.0\.1:1 did not begin"):
        _track("mlflow", tmp_path / "x.run")


@pytest.mark.parametrize(
    ("name", "library"), [("tensorboard", "tensorboard"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_a_missing_library_names_the_extra(tmp_path, monkeypatch, name, library):
    real = builtins.__import__

    def refuse(wanted, *arguments, **options):
        if wanted.split(".")[0] == library or wanted == "torch.utils.tensorboard":
            raise ImportError(wanted)
        return real(wanted, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"residua\[track\]"):
        _track(name, tmp_path / "x.run")
