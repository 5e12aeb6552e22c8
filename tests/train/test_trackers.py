"""Trackers get every number with its update; a missing library or place is told."""

import builtins

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
