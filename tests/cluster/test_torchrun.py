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
loop: {epochs: 60, batch_size: 16, micro_batch: 8, log_every: 4}
precision: {compute: fp32}
output: {checkpoint_every: 4}
"""


@pytest.fixture
def machines(tmp_path):
    """Start the agent of a machine; what is left of it is stopped."""
    for number in range(96):
        save_noise(
            tmp_path / "data" / "abc"[number % 3] / f"{number}.png", seed=number, size=(32, 30)
        )
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []

    def begin(output, nodes="", *, each=1, host=False):
        where = ["--standalone"] if not nodes else [
            "--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}",
            "--rdzv-id", "photos", "--local-addr", "127.0.0.1", "--max-restarts", "3",
            "--rdzv-conf", f"is_host={int(host)},last_call_timeout=2,keep_alive_interval=1",
        ]  # fmt: skip
        log = (tmp_path / f"machine{len(started)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *where, "--nproc-per-node", str(each),
             "-m", "residua", "train", "data", "-c", "recipe.yaml", "--output", output],
            cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        process.log = tmp_path / log.name
        log.close()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def weights(path):
    return load_file(path / "weights.safetensors")


def assert_ended(process):
    assert process.wait(timeout=150) == 0, process.log.read_text()


def test_two_machines_give_the_weights_of_one(machines, tmp_path):
    """Bit by bit: the same processes, wherever they run."""
    assert_ended(machines("alone.bundle", each=2))
    for process in [machines("both.bundle", "2", host=host) for host in (True, False)]:
        assert_ended(process)
    ours, theirs = weights(tmp_path / "both.bundle"), weights(tmp_path / "alone.bundle")
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert np.array_equal(ours[name], array), name


def test_a_machine_is_lost_and_the_other_goes_on(machines, tmp_path):
    """At the same batch: with no epoch lost and none twice."""
    assert_ended(machines("alone.bundle", each=2))
    first, second = (machines("both.bundle", "1:2", host=host) for host in (True, False))
    wait_until(lambda: "epoch 6 of" in _texts(first, second), what="the sixth epoch")
    children = Path(f"/proc/{second.pid}/task/{second.pid}/children").read_text().split()
    for process in [second.pid, *map(int, children)]:
        os.kill(process, signal.SIGKILL)
    assert_ended(first)
    assert "Going on" in first.log.read_text()
    run = tmp_path / "both.run"
    assert json.loads((run / "run.json").read_text())["finished"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == list(range(1, 61))
    ours, theirs = weights(tmp_path / "both.bundle"), weights(tmp_path / "alone.bundle")
    for name, array in theirs.items():
        if "running" not in name:  # each process has its own statistics
            assert ours[name] == pytest.approx(array, abs=2e-3), name


def _texts(*processes):
    return "".join(process.log.read_text() for process in processes)
