"""The slim install: an exported bundle predicts and is served where there is no torch."""

import json
import os
import subprocess

import pytest

from making import make_bundle, save_noise
from residua.export.run import export_bundle
from serve.running import Running

PYTHON = os.environ.get("RESIDUA_RUNTIME_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="the slim environment is not here: run `make test`"),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    made = make_bundle(tmp_path_factory.mktemp("slim") / "net.bundle", "ResNet20")
    [outcome] = export_bundle(made, ["openvino"])
    assert outcome.error is None
    return made


@pytest.fixture
def environment(tmp_path):
    return {"RESIDUA_CACHE": str(tmp_path / "cache"), "RESIDUA_OFFLINE": "1"}


def test_it_holds_no_torch():
    listing = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    names = {line.partition("==")[0] for line in listing.splitlines()}
    assert "openvino" in names
    assert not names & {"torch", "torchvision", "onnxruntime", "scikit-learn", "nncf"}


def test_it_predicts(bundle, environment, tmp_path):
    picture = save_noise(tmp_path / "a.jpg")
    done = subprocess.run(
        [PYTHON, "-m", "residua", "predict", picture, "-m", bundle.path, "--json"],
        check=True, capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip
    assert len(json.loads(done.stdout)["class_ids"]) == 5


def test_it_serves(bundle, environment, tmp_path):
    server = Running(tmp_path / "log", bundle.path, environment=environment, python=PYTHON)
    try:
        photo = save_noise(tmp_path / "a.jpg").read_bytes()
        for path in ("/v1/predict", "/v1/explain"):
            answer = server.ask("POST", path, photo)
            assert answer.status == 200, answer.body
    finally:
        assert server.stop() == 0
