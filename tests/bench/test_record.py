"""The figures of a benchmark against closed forms."""

import json

import numpy as np
import pytest

from residua.bench.record import (
    SCHEMA_VERSION,
    Benchmark,
    Measurement,
    make_latency,
    make_throughput,
    share_of_peak,
    spread,
)
from residua.bench.work import fill_batch


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_percentiles_of_an_arithmetic_series_are_on_its_line(count):
    low, median, high = spread([5 + 3 * step for step in range(count)][::-1])
    for share, value in ((0.1, low), (0.5, median), (0.9, high)):
        assert value == pytest.approx(5 + 3 * share * (count - 1), abs=1e-4)


def test_an_outlier_does_not_move_the_median():
    assert spread([10.0] * 9 + [1e6])[1] == 10


def test_shares_count_two_operations_a_multiply_add():
    assert share_of_peak(500, 2e6, 4e9) == 0.5
    assert share_of_peak(500, 2e6, None) is None


def test_a_latency_from_its_runs():
    found = make_latency(4, [20.0, 10.0, 30.0], macs=1_000_000_000, flops=1e12)
    assert (found.median, found.runs, found.batch) == (20, 3, 4)
    assert found.images_per_second == 200
    assert found.share == 0.4
    assert found.low == 12
    assert found.high == 28


def test_a_throughput_is_the_median_of_its_turns():
    found = make_throughput(8, 2, [90.0, 100.0, 140.0], macs=1_000_000_000, flops=2e12)
    assert (found.images_per_second, found.lanes, found.turns) == (100, 2, 3)
    assert found.share == 0.1


def test_batches_go_round_and_round_the_crops():
    crops = np.arange(3, dtype=np.uint8)[:, None]
    assert fill_batch(crops, 5, 2).ravel().tolist() == [2, 0, 1, 2, 0]


def test_the_record_is_what_its_json_says():
    one = Measurement(
        model="a", architecture="ResNet18", image_size=64, macs=10, engine="openvino",
        precision="fp32", device="cpu", status="measured",
        latency=(make_latency(1, [1.5], 10, None),),
    )  # fmt: skip
    whole = Benchmark(
        command="residua bench a", date="2026-01-01T00:00:00+00:00", residua="0", machine={},
        versions={}, threads=1, seconds=1.0, measurements=(one,),
    )  # fmt: skip
    content = json.loads(whole.model_dump_json())
    assert content["schema_version"] == SCHEMA_VERSION
    assert Benchmark.model_validate(content) == whole
    with pytest.raises(ValueError, match="extra"):
        Benchmark.model_validate(content | {"extra": 1})
