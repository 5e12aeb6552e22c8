"""residua demo: the whole way once. Few epochs here; `make demo` runs the whole."""

import json

import pytest
from typer.testing import CliRunner

from residua.bundle.store import read_bundle
from residua.cli.main import app


def _run(tmp_path, *arguments):
    pytest.importorskip("sklearn")
    result = CliRunner().invoke(app, ["demo", "--output", str(tmp_path / "demo"), *arguments])
    assert result.exception is None, result.output
    return result.stdout


def test_the_demo_goes_the_whole_way(tmp_path):
    said = _run(tmp_path, "--epochs", "1")
    assert len(list((tmp_path / "demo" / "digits").rglob("*.png"))) == 1797
    manifest = read_bundle(tmp_path / "demo" / "digits.bundle").manifest
    assert manifest.exports["openvino"].parity.agreement == 1
    assert manifest.classes.names == tuple("0123456789")
    assert manifest.architecture.name == "ResNet18_vd"
    assert f"{manifest.metrics[0].top1:.2%}" in said
    assert said.count(".png: ") == 5
    assert "residua train YOUR_FOLDER" in said
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert f"{manifest.metrics[0].top1:.1%}".rstrip("%") in page
    record = (tmp_path / "demo" / "digits.run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(record[-1])["event"] == "end"


@pytest.mark.slow
def test_the_demo_reaches_97_percent(tmp_path):
    _run(tmp_path)
    manifest = read_bundle(tmp_path / "demo" / "digits.bundle").manifest
    assert manifest.metrics[0].top1 >= 0.97
