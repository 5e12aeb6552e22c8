"""residua bench on the command line."""

import json

import pytest
from typer.testing import CliRunner

from making import make_bundle
from residua.base.errors import SettingError, UnknownNameError
from residua.bench import turns
from residua.bench.record import Benchmark
from residua.bundle.schema import Metrics
from residua.bundle.store import amend_bundle
from residua.cli.main import app

NARROW = (16, 16, 32, 32)
SHORT = ("--seconds", "0.05", "--threads", "1")


@pytest.fixture
def bundle(tmp_path):
    made = make_bundle(tmp_path / "x.bundle", widths=NARROW)
    figures = Metrics(source="measured", data="flowers", top1=0.9)
    return amend_bundle(made, {"metrics": (figures,)}).path


@pytest.fixture(autouse=True)
def two_rounds(monkeypatch):
    monkeypatch.setattr(turns, "ROUNDS", 2)


def call(*words):
    return CliRunner().invoke(app, ["bench", *map(str, words)], catch_exceptions=True)


@pytest.mark.parametrize(
    "sizes", [("--batch", 1, 4), ("--batch", "1,4"), ("--batch", 1, "--batch", 4)]
)
def test_several_sizes_in_every_way_of_saying_it(bundle, sizes):
    done = call(bundle, *sizes, "--engines", "openvino", "--no-throughput", "--json", *SHORT)
    assert done.exit_code == 0, done.output
    found = Benchmark.model_validate_json(done.stdout)
    [one] = found.measurements
    assert [each.batch for each in one.latency] == [1, 4]
    assert not one.throughput
    assert one.parity.agreement == 1
    assert found.threads == 1


def test_a_table_a_file_and_a_picture(bundle, tmp_path):
    target, picture = tmp_path / "speed.json", tmp_path / "speed.svg"
    done = call(
        bundle, "--engines", "openvino", "onnxruntime", "--precision", "fp32", "int8",
        "--batch", 2, "--output", target, "--picture", picture, *SHORT,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["x", "openvino", "fp32"] in [row[:3] for row in rows]
    assert ["x", "onnxruntime", "fp32"] in [row[:3] for row in rows]
    assert "ms, batch 2" in done.stdout
    assert "Peak in fp32" in done.stdout
    assert "openvino int8: not measured." in done.stdout
    assert "has no int8 export" in done.stdout
    assert "\x1b" not in done.stdout
    assert "x: 2 configurations" in done.stderr
    content = json.loads(target.read_text(encoding="utf-8"))
    assert {one["status"] for one in content["measurements"]} == {"measured", "skipped"}
    assert content["versions"]["openvino"]
    assert content["measurements"][0]["throughput"][0]["images_per_second"] > 0
    assert ">x<" in picture.read_text(encoding="utf-8")


def test_wrong_answers_are_shown_as_wrong_and_not_as_fast(bundle, monkeypatch, tmp_path):
    from residua.bench import run

    honest = run.make_reference
    monkeypatch.setattr(run, "make_reference", lambda bundle: honest(bundle)[:, ::-1])
    done = call(bundle, "--engines", "openvino", "--batch", 1, "--no-throughput", *SHORT)
    assert done.exit_code == 1
    assert "WRONG" in done.stdout
    assert "a probability differs" in done.stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), SettingError),
        (("x", "--batch", "many"), SettingError),
        (("x", "--batch", "0"), SettingError),
        (("x", "--engines", "openvin"), UnknownNameError),
        (("x", "--precision", "fp31"), UnknownNameError),
        (("x", "--device", "tpu"), UnknownNameError),
        (("ResNet5", "--engines", "openvino"), UnknownNameError),
        (("x", "--output", "speed.txt"), SettingError),
        (("x", "--picture", "no/such/folder/x.svg"), SettingError),
        (("x", "--seconds", "0"), SettingError),
    ],
)
def test_mistakes_are_told_before_any_work(words, error):
    assert isinstance(call(*words).exception, error)
