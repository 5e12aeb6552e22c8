"""residua export on the command line."""

import json

import pytest
from typer.testing import CliRunner

from making import make_bundle, save_noise
from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.store import read_bundle
from residua.cli.main import app

NARROW = (16, 16, 32, 32)


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=NARROW).path


def call(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)], catch_exceptions=True)


def test_several_formats_at_once_in_every_way_of_saying_it(bundle):
    for words in (
        ("--format", "onnx", "openvino"),
        ("--format", "onnx,openvino"),
        ("-f", "onnx", "-f", "openvino"),
    ):
        done = call(bundle, *words, "--json")
        assert done.exit_code == 0, done.output
        record = json.loads(done.stdout)
        assert list(record) == ["onnx", "openvino"]
        assert record["onnx"]["parity"]["agreement"] == 1
    assert list(read_bundle(bundle).manifest.exports) == ["onnx", "openvino"]


def test_pictures_are_asked_too_and_a_copy_leaves_the_bundle_alone(bundle, tmp_path):
    save_noise(tmp_path / "photos" / "a.png")
    save_noise(tmp_path / "photos" / "b.jpg", seed=1)
    copy = tmp_path / "copy.bundle"
    done = call(bundle, "--format", "openvino", "--pictures", tmp_path / "photos", "--output", copy)
    assert done.exit_code == 0, done.output
    assert "on 19 crops (2 of pictures)" in done.stdout
    assert "exports/openvino/model.xml" in done.stdout
    assert not read_bundle(bundle).manifest.exports
    assert list(read_bundle(copy).manifest.exports) == ["openvino"]


def test_verify_and_its_exit_code(bundle):
    assert call(bundle, "--format", "onnx").exit_code == 0
    done = call(bundle, "--verify")
    assert done.exit_code == 0
    assert "100.0%" in done.stdout
    path = bundle / "exports/onnx/model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    done = call(bundle, "--verify", "--json")
    assert done.exit_code == 1
    assert "model.onnx" in json.loads(done.stdout)["onnx"]["error"]
    said = call(bundle, "--verify").stdout
    assert "onnx: failed." in said
    assert f"residua export {bundle} --format onnx" in said


def test_verify_chooses_formats_and_refuses_what_it_would_not_heed(bundle):
    assert call(bundle, "--format", "onnx", "openvino").exit_code == 0
    done = call(bundle, "--verify", "--format", "openvino", "--json")
    assert list(json.loads(done.stdout)) == ["openvino"]
    for words in (["--format", "ncnn"], ["--overwrite"], ["--output", "x"]):
        assert isinstance(call(bundle, "--verify", *words).exception, SettingError)
    assert isinstance(
        call(bundle, "--format", "onnx", "--calibrate", "photos").exception, SettingError
    )


def test_what_cannot_run_here_is_no_failure(bundle):
    pytest.importorskip("coremltools")
    assert call(bundle, "--format", "coreml").exit_code == 0
    done = call(bundle, "--verify")
    assert done.exit_code == 0
    assert "coreml" in done.stdout
    assert "not compared" in done.stdout


def test_lost_reference_answers_are_made_again(bundle):
    assert call(bundle, "--format", "onnx").exit_code == 0
    (bundle / "exports/reference.safetensors").unlink()
    assert call(bundle, "--format", "openvino").exit_code == 0
    assert read_bundle(bundle).verify() is None


def test_the_list_tells_what_is_installed():
    done = call("--list")
    assert done.exit_code == 0
    assert "onnx" in done.stdout
    assert "installed" in done.stdout
    assert json.loads(call("--list", "--json").stdout)["onnx"]["engine"] == "onnxruntime"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--format", "onxx"), UnknownNameError),
        ((), SettingError),
        (("onnx",), SettingError),
        (("--verify",), SettingError),
        (("--format", "onnx", "--precision", "int8"), SettingError),
    ],
)
def test_mistakes_are_explained(bundle, words, error):
    done = call(bundle, *words)
    assert isinstance(done.exception, error)
