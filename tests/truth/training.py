"""Trainings in processes of their own, which tests kill, and what they leave."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

_SCRIPT = str(Path(__file__).with_name("unfinished.py"))
_SETTINGS = (
    "model.widths=[8,8,16,16]", "model.stem_width=8", "model.small_images=true",
    "model.drop_path=0.1", "augment.image_size=24", "augment.policy.kind=randaugment",
    "augment.erase.kind=erasing", "augment.mix.mixup=0.2", "augment.mix.cutmix=1.0",
    "average.kind=ema", "average.decay=0.9", "loop.batch_size=12", "loop.log_every=1",
    "loop.epochs=3", "optimiser.lr=0.05", "schedule.warmup_epochs=0.5",
    "output.checkpoint_every=2",
)  # fmt: skip


def command(data, output, *settings, processes=1, verb="train"):
    """The command of a training on ``data`` by so many processes."""
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        start += ["--master-addr", "127.0.0.1", "--master-port", "0"]
        start += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    options = [part for setting in (*_SETTINGS, *settings) for part in ("-o", setting)]
    return [
        *start, _SCRIPT, verb, str(data), "--model", "ResNet18_vd", "--device", "cpu",
        "--output", str(output), *options,
    ]  # fmt: skip


def begin(arguments):
    """Start it in a process group of its own, one thread a process, its words in a file."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        arguments, env=environment, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(arguments, *, expect=0):
    """Run it to its end and return its words."""
    process = begin(arguments)
    words, _ = process.communicate(timeout=180)
    assert process.returncode == expect, words
    return words


def kill_after(arguments, output, updates, *, number=signal.SIGKILL):
    """Start it, and send the signal to all its processes after so many updates of its record."""
    process = begin(arguments)
    deadline = time.monotonic() + 120
    while count_updates(output) < updates:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for child in [*list_children(process), process.pid]:  # torchrun's have groups of their own
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
    words, _ = process.communicate(timeout=120)
    return process.returncode, words


def list_children(process):
    """The process ids of what torchrun has started; of a plain start there are none."""
    listed = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def count_updates(output):
    """The update of the last whole line of the record."""
    try:
        lines = output.with_suffix(".run").joinpath("metrics.jsonl").read_text().splitlines()
    except OSError:
        return 0
    numbers = [json.loads(line).get("update", 0) for line in lines if line.endswith("}")]
    return max(numbers, default=0)


def read_result(output):
    """Everything that must not depend on interruptions: tensors by name, and plain values."""
    run = output.with_suffix(".run")
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    tensors = {f"state.{k}": v for k, v in load_file(newest / "state.safetensors").items()}
    tensors |= {f"bundle.{k}": v for k, v in load_file(output / "weights.safetensors").items()}
    if (run / "best" / "weights.safetensors").exists():
        best = load_file(run / "best" / "weights.safetensors")
        tensors |= {f"best.{k}": v for k, v in best.items()}
    numbers = json.loads((newest / "state.json").read_text())
    for report in numbers["history"]:
        del report["images_per_second"]  # the only figure that time is part of
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [
        {key: line[key] for key in ("update", "loss", "gradient_norm", "lr")}
        for line in steps
        if line["event"] == "step"
    ]
    del numbers["record_bytes"], numbers["sha256"]
    return tensors, numbers | {"steps": steps}


def assert_same(one, other):
    """Bit by bit."""
    assert one[0].keys() == other[0].keys()
    differing = [name for name in one[0] if not np.array_equal(one[0][name], other[0][name])]
    assert differing == []
    for name in one[1].keys() | other[1].keys():
        assert one[1][name] == other[1][name], name
