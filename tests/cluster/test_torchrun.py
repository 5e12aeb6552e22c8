"""torchrun across machines: its agents, one a machine, are two here, and meet by an address."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from making import save_noise

from .conftest import wait_until

pytestmark = pytest.mark.slow

RECIPE = """
model: {name: ResNet18, small_images: true, widths: [4, 4, 8, 8], stem_width: 4}
augment: {image_size: 24, flip: 0.5}
optimiser: {lr: 0.02, momentum: 0.9}
loop: {epochs: 40, batch_size: 16, micro_batch: 8, log_every: 4}
precision: {compute: fp32}
output: {checkpoint_every: 4}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures, a recipe, and what two processes of one machine make of them."""
    folder = tmp_path_factory.mktemp("machines")
    for number in range(96):
        save_noise(
            folder / "data" / "abc"[number % 3] / f"{number}.png", seed=number, size=(32, 30)
        )
    (folder / "recipe.yaml").write_text(RECIPE)
    process = start(folder, ["--standalone", "--nproc-per-node", "2"], "alone.bundle", "alone")
    assert_ended(process)
    return folder


def start(folder, where, output, name):
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *where,
             "-m", "residua", "train", "data", "-c", "recipe.yaml", "--output", output],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    process.log = folder / f"{name}.log"
    return process


@pytest.fixture
def machines(place):
    """Start the agents of two machines; what is left of them is stopped."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []

    def begin(output, nodes):
        for number in range(2):
            where = [
                "--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint",
                f"127.0.0.1:{port}", "--rdzv-id", "photos", "--local-addr", "127.0.0.1",
                "--max-restarts", "3", "--nproc-per-node", "1", "--rdzv-conf",
                f"is_host={1 - number},last_call_timeout=2,keep_alive_interval=1",
            ]  # fmt: skip
            started.append(start(place, where, output, f"{output}{number}"))
        return started

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def weights(path):
    return load_file(path / "weights.safetensors")


def losses(run):
    """Each epoch of a run with its loss in training, in the order in which they were written."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["epoch"], line["train_loss"]) for line in lines if line["event"] == "epoch"]


def assert_ended(process):
    assert process.wait(timeout=150) == 0, process.log.read_text()


def test_two_machines_give_the_weights_of_one(machines, place):
    """Bit by bit: the same processes, wherever they run."""
    for process in machines("both.bundle", "2"):
        assert_ended(process)
    ours, theirs = weights(place / "both.bundle"), weights(place / "alone.bundle")
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert np.array_equal(ours[name], array), name


def test_a_machine_is_lost_and_the_other_goes_on(machines, place):
    """At the same batch: with no epoch lost and none twice."""
    first, second = machines("lost.bundle", "1:2")
    wait_until(lambda: "epoch 6 of" in _texts(first, second), what="the sixth epoch")
    children = Path(f"/proc/{second.pid}/task/{second.pid}/children").read_text().split()
    for process in [second.pid, *map(int, children)]:
        os.kill(process, signal.SIGKILL)
    assert_ended(first)
    assert "Going on" in first.log.read_text()
    assert json.loads((place / "lost.run" / "run.json").read_text())["finished"]
    ours, theirs = losses(place / "lost.run"), losses(place / "alone.run")
    assert [epoch for epoch, _ in ours] == list(range(1, 41))
    # The bundle may be of another epoch: validation sees running statistics, which differ.
    assert [loss for _, loss in ours] == pytest.approx([loss for _, loss in theirs], abs=1e-6)


def _texts(*processes):
    return "".join(process.log.read_text() for process in processes)
