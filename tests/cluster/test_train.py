"""Trainings on real clusters against torchrun's, with processes and machines lost on the way."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from making import save_noise
from residua.cluster.storage import locate

from .conftest import processes_named, wait_until

pytest.importorskip("ray", reason="the extra cluster is not installed: make cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray warns of its own code
]

RECIPE = """
model: {name: ResNet18, small_images: true, widths: [4, 4, 8, 8], stem_width: 4}
augment: {image_size: 24, flip: 0.5}
optimiser: {lr: 0.02, momentum: 0.9}
loop: {epochs: 8, batch_size: 16, micro_batch: 8, log_every: 4}
precision: {compute: fp32}
output: {checkpoint_every: 4}
"""
WORKER = "ray::RayTrainWorker"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures, a recipe, and what two processes of torchrun make of them."""
    folder = tmp_path_factory.mktemp("training")
    for number in range(96):
        save_noise(
            folder / "data" / "abc"[number % 3] / f"{number}.png", seed=number, size=(32, 30)
        )
    (folder / "recipe.yaml").write_text(RECIPE)
    words = ["torchrun", "--standalone", "--nproc-per-node", "2", "-m", "residua", "train", "data",
             "-c", "recipe.yaml", "--output", "reference.bundle"]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words[1:]],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return folder


def train(start, place, nodes, tmp_path, workers, storage=None):
    return start(
        "train", place / "data", "-c", place / "recipe.yaml", "--output", tmp_path / "net.bundle",
        "--cluster", nodes.address, "--workers", workers, "--threads", 1,
        "--storage", storage or tmp_path / "storage",
    )  # fmt: skip


def weights(path):
    return load_file(path / "weights.safetensors")


def is_under_way(process):
    """By its second epoch the checkpoint of the first is where others find it."""
    return "epoch 2 of" in process.log.read_text()


def losses(run):
    """Each epoch of a run with its loss in training, in the order in which they were written."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["epoch"], line["train_loss"]) for line in lines if line["event"] == "epoch"]


def assert_ended(process, tmp_path, storage=None):
    assert process.wait(timeout=150) == 0, process.log.read_text()
    run = tmp_path / "net.run"
    assert json.loads((run / "run.json").read_text())["finished"]
    assert [epoch for epoch, _ in losses(run)] == list(range(1, 9))  # none lost, none twice
    assert not locate(storage or tmp_path / "storage").names()


def assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert np.array_equal(found[name], array), name


def test_a_machine_is_lost_and_another_takes_its_place(bucket, nodes, start, place, tmp_path):
    """The weights are those of torchrun, bit by bit: the same updates in the same order."""
    storage = f"{bucket}/my runs"
    process = train(start, place, nodes.add(count=3), tmp_path, "2", storage)
    wait_until(lambda: is_under_way(process), what="the second epoch")
    nodes.lose(processes_named(WORKER)[0])
    assert_ended(process, tmp_path, storage)
    assert "Going on with" in process.log.read_text()
    assert_equal(weights(tmp_path / "net.bundle"), weights(place / "reference.bundle"))


def test_a_process_is_killed_and_the_rest_goes_on_alone(nodes, start, place, tmp_path):
    """With one process in place of two the batches are the same, and so are the updates."""
    process = train(start, place, nodes.add(count=2), tmp_path, "1:2")
    wait_until(lambda: is_under_way(process), what="the second epoch")
    found = processes_named(WORKER)
    assert len(found) == 2
    nodes.lose(found[0])
    assert_ended(process, tmp_path)
    assert "1 process," in process.log.read_text()
    # The bundle may be of another epoch: validation sees running statistics, which differ.
    ours, theirs = losses(tmp_path / "net.run"), losses(place / "reference.run")
    assert [loss for _, loss in ours] == pytest.approx([loss for _, loss in theirs], abs=1e-6)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_is_lost_and_goes_on(nodes, start, place, tmp_path, by):
    """Stopped in the midst of it; killed when it has ended but for the fetching of the bundle."""
    process = train(start, place, nodes.add(count=2), tmp_path, "2")
    storage = tmp_path / "storage"
    late = by == signal.SIGKILL
    wait_until(
        lambda: list(storage.glob("net-*/*/model.bundle")) if late else is_under_way(process),
        what="the bundle" if late else "the second epoch",
    )
    if late:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        process.send_signal(by)
        assert process.wait(timeout=60) == 128 + by, process.log.read_text()
        assert "The same command goes on" in process.log.read_text()
    assert not (tmp_path / "net.bundle").exists()
    again = train(start, place, nodes, tmp_path, "2")
    assert_ended(again, tmp_path)
    assert f"Going on with {tmp_path / 'net.run'} after" in again.log.read_text()
    started = json.loads((tmp_path / "net.run" / "metrics.jsonl").read_text().splitlines()[0])
    assert f"--cluster {nodes.address} --workers 2" in started["command"]
    assert_equal(weights(tmp_path / "net.bundle"), weights(place / "reference.bundle"))


def test_what_cannot_be_trained_is_said_in_a_sentence(nodes, start, place, tmp_path):
    process = train(start, place, nodes.add(), tmp_path, "3")
    assert process.wait(timeout=90) == 1
    last = process.log.read_text().splitlines()[-2:]
    assert last[0] == "Error: 3 processes do not find room: the cluster has 1 core, 1 a process."
