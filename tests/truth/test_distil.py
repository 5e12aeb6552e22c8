"""Real runs of distillation, killed and begun again, by one process and by two."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from data.shapes import write_shapes
from truth.training import assert_same, command, finish, kill_after, read_result

pytestmark = pytest.mark.slow
# What is drawn for masked channels and for mixing must not depend on who draws it.
KINDS = ("mgd", "ssld")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("distil") / "shapes", count=20)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("distil") / "more", count=12, seed=7000)


@pytest.fixture(scope="module")
def teacher(pictures, tmp_path_factory):
    output = tmp_path_factory.mktemp("teacher") / "teacher.bundle"
    finish(command(pictures, output, "loop.epochs=2"))
    return output


def distil(pictures, output, teacher, *words, processes=1):
    start = command(pictures, output, "loop.micro_batch=4", processes=processes, verb="distil")
    start[start.index("--model")] = "--student"
    return [*start, "-c", "scratch", "--teacher", str(teacher), *words]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("processes", [1, 2])
def test_sigkill_changes_nothing(pictures, teacher, tmp_path, processes, kind):
    options = ("--recipe", "kd", "-o", f"distil.method={kind}")
    undisturbed, output = tmp_path / "undisturbed.bundle", tmp_path / "shapes.bundle"
    finish(distil(pictures, undisturbed, teacher, *options, processes=processes))
    same = distil(pictures, output, teacher, *options, processes=processes)
    for updates in (1, 5):
        kill_after(same, output, updates)
    assert "Going on with" in finish(same)
    assert_same(read_result(output), read_result(undisturbed))


def test_two_processes_learn_what_one_does(pictures, teacher, tmp_path):
    """As far as rounding goes (see test_ranks): masks are drawn for rows, whoever computes them."""
    results = []
    settings = ("loop.sync_norm=true", "loop.micro_batch=0", "precision.compute=fp32")
    options = ["--recipe", "mgd", *(word for each in settings for word in ("-o", each))]
    for processes in (1, 2):
        output = tmp_path / f"{processes}.bundle"
        finish(distil(pictures, output, teacher, *options, processes=processes))
        tensors = load_file(output / "weights.safetensors")
        results.append(np.concatenate([tensors[name].ravel() for name in sorted(tensors)]))
    one, two = results
    assert np.linalg.norm(two - one) <= 1e-3 * np.linalg.norm(one)


def test_the_chain_killed_in_each_stage_ends_as_undisturbed(pictures, more, teacher, tmp_path):
    options = ("--recipe", "ssld", "--unlabelled", str(more), "--fix-size", "32",
               "--second-epochs", "1")  # fmt: skip
    undisturbed, output = tmp_path / "undisturbed.bundle", tmp_path / "shapes.bundle"
    finish(distil(pictures, undisturbed, teacher, *options))
    same = distil(pictures, output, teacher, *options)
    for stage, updates in (("stage1", 3), ("stage1", 9), ("stage2", 2), ("fix", 2)):
        kill_after(same, tmp_path / "shapes.ssld" / f"{stage}.bundle", updates)
    words = finish(same)
    assert "stage2: done before" in words
    expected = load_file(undisturbed / "weights.safetensors")
    found = load_file(output / "weights.safetensors")
    assert expected.keys() == found.keys()
    assert [name for name in expected if not np.array_equal(expected[name], found[name])] == []
