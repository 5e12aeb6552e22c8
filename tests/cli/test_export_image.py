"""residua export --input image on the command line."""

import json

import pytest
from typer.testing import CliRunner

from making import make_bundle, save_noise
from residua.base.errors import DataError, SettingError, UnknownNameError
from residua.bundle.store import read_bundle
from residua.cli.main import app


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "x.bundle", widths=(16, 16, 32, 32)).path


@pytest.fixture
def pictures(tmp_path):
    save_noise(tmp_path / "photos" / "a.png", size=(90, 70))
    save_noise(tmp_path / "photos" / "b.jpg", size=(61, 150), seed=1)
    (tmp_path / "photos" / "c.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return tmp_path / "photos"


def call(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)], catch_exceptions=True)


def test_whole_pictures_are_taken_written_and_verified(bundle, pictures):
    options = ("--input", "image", "--pictures", pictures)
    done = call(bundle, "--format", "onnx", *options)
    assert done.exit_code == 0, done.output
    assert "onnx-image: exports/onnx-image/model.onnx" in done.stdout
    assert "images (2 of pictures) the best class agrees on 100.0%" in done.stdout
    assert call(bundle, "--format", "onnx").exit_code == 0
    assert list(read_bundle(bundle).manifest.exports) == ["onnx-image", "onnx"]
    done = call(bundle, "--verify", "--pictures", pictures, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert [record[name]["parity"]["pictures"] for name in ("onnx-image", "onnx")] == [2, 2]


def test_a_format_that_cannot_and_a_wrong_word_are_refused(bundle, tmp_path):
    done = call(bundle, "--format", "torch", "--input", "image")
    assert isinstance(done.exception, SettingError)
    assert "crops only" in str(done.exception)
    done = call(bundle, "--format", "onnx", "--input", "images")
    assert isinstance(done.exception, UnknownNameError)
    assert "image" in str(done.exception)
    (tmp_path / "empty").mkdir()
    done = call(bundle, "--format", "onnx", "--input", "image", "--pictures", tmp_path / "empty")
    assert isinstance(done.exception, DataError)
