"""Checkpoints are whole or absent; a damaged one is passed over with its reason."""

import os

import pytest
import torch

from residua.base.errors import CheckpointError
from residua.train.storage import checkpoint
from residua.train.storage.checkpoint import (
    list_checkpoints,
    read_checkpoint,
    read_newest,
    remove_strays,
    write_checkpoint,
)

_NUMBERS = {"position": {"epoch": 1}, "rate": 0.1}


def _tensors(value):
    return {"a": torch.full((3, 2), value), "b.c": torch.arange(4)}


def _write(folder, updates, *, keep=2):
    return write_checkpoint(folder, updates, _tensors(float(updates)), _NUMBERS, keep=keep)


def test_what_was_written_is_read(tmp_path):
    read = read_checkpoint(_write(tmp_path, 7))
    assert torch.equal(read.tensors["a"], torch.full((3, 2), 7.0))
    assert torch.equal(read.tensors["b.c"], torch.arange(4))
    assert read.numbers["position"] == {"epoch": 1}


def test_floats_survive_bit_by_bit(tmp_path):
    values = {"x": 0.1 + 0.2, "y": float("inf"), "z": 1e-310}
    path = write_checkpoint(tmp_path, 1, _tensors(0.0), values, keep=1)
    numbers = read_checkpoint(path).numbers
    assert {key: numbers[key] for key in values} == values


def test_the_newest_stay(tmp_path):
    for updates in (5, 10, 15, 20):
        _write(tmp_path, updates)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["00000020", "00000015"]


def _truncate(path):
    file = path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-3])


def _flip(path):
    file = path / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def _halve_numbers(path):
    file = path / "state.json"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _forget_tensors(path):
    (path / "state.safetensors").unlink()


@pytest.mark.parametrize("damage", [_truncate, _flip, _halve_numbers, _forget_tensors])
def test_a_damaged_one_is_passed_over_with_its_reason(tmp_path, damage):
    _write(tmp_path, 5)
    damage(_write(tmp_path, 10))
    read, problems = read_newest(tmp_path)
    assert read.path.name == "00000005"
    assert len(problems) == 1
    assert "00000010" in problems[0]


def test_with_none_left_there_is_an_error(tmp_path):
    _truncate(_write(tmp_path, 5))
    with pytest.raises(CheckpointError, match="00000005") as caught:
        read_newest(tmp_path)
    assert "--restart" in caught.value.next_step


def test_no_checkpoint_is_no_error(tmp_path):
    assert read_newest(tmp_path / "nothing") == (None, ())


def test_a_full_disk_leaves_the_one_before(tmp_path, monkeypatch):
    _write(tmp_path, 5)

    def refuse(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(CheckpointError, match="the disk is full"):
        _write(tmp_path, 10)
    assert read_newest(tmp_path)[0].path.name == "00000005"
    assert [path.name for path in tmp_path.iterdir()] == ["00000005"]


def test_a_write_that_was_cut_off_is_cleared_away(tmp_path):
    _write(tmp_path, 5)
    (tmp_path / ".00000010.abc").mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["00000005"]
    remove_strays(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["00000005"]
