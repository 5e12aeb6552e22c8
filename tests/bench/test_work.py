"""What a process does with its configuration."""

import time

import numpy as np
import pytest

from making import make_bundle
from residua.bench.plan import find_peak_precision
from residua.bench.subject import count_macs, open_subject
from residua.bench.work import Work, measure_flow
from residua.engines.probes import make_probes
from residua.engines.pytorch import compute_reference
from residua.zoo.count import count, stored_counts

NARROW = (16, 16, 32, 32)


class Sleeper:
    """An engine that takes ``seconds`` a run, in as many lanes as one likes."""

    def __init__(self, seconds, lanes):
        self.seconds, self.lanes = seconds, lanes

    def run(self, batch):
        time.sleep(self.seconds)
        return batch


def open_work(bundle, tmp_path, reference):
    path = tmp_path / "reference.npy"
    np.save(path, reference)
    work = Work()
    answer = work.open(
        bundle=str(bundle.path), engine="openvino", precision="fp32", device="cpu", threads=1,
        hint="latency", sizes=[4, 1], reference=str(path),
    )  # fmt: skip
    return work, answer


def test_answers_are_compared_in_every_size_of_a_batch(tmp_path):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    probes = make_probes(bundle.manifest.preprocess)
    reference = compute_reference(bundle, probes)
    work, answer = open_work(bundle, tmp_path, reference)
    assert answer["problem"] == ""
    assert answer["parity"]["inputs"] >= len(probes)
    assert answer["load_seconds"] > 0
    assert len(work.run(batch=4, seconds=0)["milliseconds"]) == 1


def test_wrong_answers_are_seen(tmp_path):
    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    reference = compute_reference(bundle, make_probes(bundle.manifest.preprocess))
    _, answer = open_work(bundle, tmp_path, reference[:, ::-1])
    assert "agrees" in answer["problem"]


@pytest.mark.parametrize("lanes", [1, 3])
def test_flow_counts_the_part_of_a_run_that_lies_inside(lanes):
    # Three fifths of a run fit into the time: no run ends in it, yet the rate is that of the lanes.
    crops = np.zeros((2, 1))
    found = measure_flow(Sleeper(0.1, lanes), crops, 0.06)
    assert found <= 2 * lanes / 0.1
    assert found > 0


def test_an_error_in_a_lane_is_raised():
    class Broken(Sleeper):
        def run(self, batch):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        measure_flow(Broken(0, 2), np.zeros((1, 1)), 0.05)


def test_multiply_adds_come_from_the_table_or_are_counted(tmp_path):
    narrow = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    assert count_macs(narrow) == count(narrow.manifest.architecture, (64,)).macs[64]
    whole = open_subject("ResNet20", tmp_path, random=True)
    assert whole.macs == stored_counts()["ResNet20"].macs[32]


def test_names_without_weights_get_random_ones_and_say_so(tmp_path):
    found = open_subject("ResNet18", tmp_path)
    assert found.name == "ResNet18"
    assert "RESIDUA_OFFLINE" in found.notes[0]
    assert found.top1 == 0.71  # the publisher's
    answers = compute_reference(found.bundle, make_probes(found.bundle.manifest.preprocess))
    # As those of a trained network: neither all alike nor certain.
    assert answers.max(1).min() > 0.002
    assert np.median(answers.max(1)) < 0.99
    assert len(set(answers.argmax(1))) > 3


def test_float16_files_are_held_against_what_computes_them():
    assert find_peak_precision("bf16", "cpu") == "bf16"
    assert find_peak_precision("fp16", "cuda") == "fp16"
    assert find_peak_precision("fp16", "cpu") in {"fp16", "fp32"}
