"""Killed at any update and started again, a run ends as if nothing had happened, bit by bit."""

import os
import signal
import time

import pytest

from data.shapes import write_shapes
from truth.training import (
    assert_same,
    begin,
    command,
    count_updates,
    finish,
    kill_after,
    list_children,
    read_result,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("resume") / "shapes", count=20)


@pytest.fixture(scope="module")
def undisturbed(pictures, tmp_path_factory):
    """The result of a run that nothing has happened to, by the number of processes."""
    results = {}

    def run(processes):
        if processes not in results:
            output = tmp_path_factory.mktemp("undisturbed") / "shapes.bundle"
            finish(command(pictures, output, "loop.micro_batch=4", processes=processes))
            results[processes] = read_result(output)
        return results[processes]

    return run


@pytest.mark.parametrize("processes", [1, 2])
def test_sigkill_changes_nothing(pictures, undisturbed, tmp_path, processes):
    output = tmp_path / "shapes.bundle"
    same = command(pictures, output, "loop.micro_batch=4", processes=processes)
    for updates in (1, 3, 6, 11):  # before the first checkpoint, mid-epoch, later
        code, _ = kill_after(same, output, updates)
        assert code == -signal.SIGKILL
    words = finish(same)
    assert "Going on with" in words
    assert_same(read_result(output), undisturbed(processes))


def test_sigterm_writes_a_checkpoint_and_leaves(pictures, undisturbed, tmp_path):
    output = tmp_path / "shapes.bundle"
    same = command(pictures, output, "loop.micro_batch=4", "output.checkpoint_every=1000")
    process_code, words = kill_after(same, output, 5, number=signal.SIGTERM)
    assert process_code == 143, words
    assert "Stopped by SIGTERM" in words
    assert "same command goes on" in words
    stopped = count_updates(output)
    assert len(list((output.with_suffix(".run") / "checkpoints").iterdir())) >= 1
    words = finish(same)
    assert f"Going on with {output.with_suffix('.run')} after {stopped} updates" in words
    tensors, numbers = read_result(output)
    assert_same((tensors, numbers), undisturbed(1))


def test_a_uniform_average_goes_on_bit_by_bit(pictures, tmp_path):
    """Its statistics are computed anew at each validation, and at the end."""
    settings = ("average.kind=uniform", "average.start_epoch=1", "evaluate.keep=last")
    whole, cut = tmp_path / "whole.bundle", tmp_path / "cut.bundle"
    finish(command(pictures, whole, *settings))
    for updates in (4, 9):
        kill_after(command(pictures, cut, *settings), cut, updates)
    finish(command(pictures, cut, *settings))
    assert_same(read_result(cut), read_result(whole))


def test_a_run_with_the_rounding_of_int8_goes_on_bit_by_bit(pictures, tmp_path):
    """Its ranges are measured anew, on the weights that it started from."""
    parent = tmp_path / "parent.bundle"
    finish(command(pictures, parent))
    settings = ("precision.quantise=true", f"model.pretrained={parent}", "precision.compute=fp32")
    whole, cut = tmp_path / "whole.bundle", tmp_path / "cut.bundle"
    finish(command(pictures, whole, *settings))
    for updates in (3, 9):
        kill_after(command(pictures, cut, *settings), cut, updates)
    words = finish(command(pictures, cut, *settings))
    assert "round as int8 does" in words
    assert_same(read_result(cut), read_result(whole))


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(pictures, undisturbed, tmp_path):
    output = tmp_path / "shapes.bundle"
    same = command(pictures, output, "loop.micro_batch=4")
    kill_after(same, output, 7)
    checkpoints = sorted((output.with_suffix(".run") / "checkpoints").glob("[0-9]*"))
    file = checkpoints[-1] / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    words = finish(same)
    assert "The one before it is used" in words
    assert_same(read_result(output), undisturbed(1))


def test_another_recipe_is_refused(pictures, tmp_path):
    output = tmp_path / "shapes.bundle"
    kill_after(command(pictures, output), output, 3)
    words = finish(command(pictures, output, "optimiser.momentum=0.8"), expect=1)
    assert "differs in: optimiser.momentum" in words
    assert "--restart" in words


def test_two_runs_in_one_folder_are_refused(pictures, tmp_path):
    output = tmp_path / "shapes.bundle"
    process = begin(command(pictures, output, "loop.epochs=500"))
    while count_updates(output) < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    words = finish(command(pictures, output, "loop.epochs=500"), expect=1)
    process.kill()
    process.communicate()
    assert "Another process is training" in words


def test_one_process_dying_ends_the_run(pictures, tmp_path):
    output = tmp_path / "shapes.bundle"
    process = begin(command(pictures, output, "loop.epochs=500", processes=2))
    while count_updates(output) < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    os.kill(list_children(process)[-1], signal.SIGKILL)
    words, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "SIGKILL" in words  # torchrun names the process and its end
    assert "Process 0 of 2: another process of the run has ended" in words
    assert "residua/train/loop.py" not in words  # but for torchrun's own, there is no traceback


def test_torchrun_starts_all_again_and_nothing_is_lost(pictures, undisturbed, tmp_path):
    output = tmp_path / "shapes.bundle"
    same = command(pictures, output, "loop.micro_batch=4", processes=2)
    place = same.index("--nproc-per-node")
    process = begin([*same[:place], "--max-restarts", "1", *same[place:]])
    while count_updates(output) < 5:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    os.kill(list_children(process)[-1], signal.SIGKILL)
    words, _ = process.communicate(timeout=120)
    assert process.returncode == 0, words
    assert "Going on with" in words
    assert_same(read_result(output), undisturbed(2))


def test_a_run_that_stopped_early_trains_no_further_when_it_goes_on(pictures, tmp_path):
    settings = ("loop.epochs=40", "loop.patience=1", "evaluate.keep=last", "optimiser.lr=1e-9")
    whole, cut = tmp_path / "whole.bundle", tmp_path / "cut.bundle"
    words = finish(command(pictures, whole, *settings))
    assert "stopping early" in words
    expected = read_result(whole)
    kill_after(command(pictures, cut, *settings), cut, len(expected[1]["steps"]))
    finish(command(pictures, cut, *settings))
    assert_same(read_result(cut), expected)
