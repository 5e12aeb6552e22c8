"""The built wheel, installed alone with its default dependencies, predicts.

``make test`` builds it, installs it into an environment of its own and names its Python here.
"""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MAKE_A_BUNDLE = """
import sys
from pathlib import Path
import residua
from residua.bundle.classes import imagenet_classes
from residua.bundle.schema import Manifest, Preprocess, Provenance
from residua.bundle.store import write_bundle
from residua.zoo.load import export_tensors

assert "src" not in Path(residua.__file__).parts, residua.__file__
network = residua.create("ResNet18", seed=0)
origin = Provenance(created="2026-01-01T00:00:00Z", residua=residua.__version__, made_by="a test")
manifest = Manifest(
    architecture=network.row, classes=imagenet_classes(), preprocess=Preprocess(), provenance=origin
)
write_bundle(Path(sys.argv[1]), manifest, export_tensors(network))
"""


@pytest.mark.slow
def test_the_wheel_alone_predicts(tmp_path):
    python = os.environ.get("RESIDUA_WHEEL_PYTHON")
    if not python:
        pytest.skip("the wheel's environment is not here: run `make test`")
    bundle, picture = tmp_path / "net.bundle", tmp_path / "noise.png"
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    run = partial(subprocess.run, check=True, capture_output=True, text=True, cwd=tmp_path)
    run([python, "-c", MAKE_A_BUNDLE, str(bundle)])
    residua = Path(python).with_name("residua")
    for engine in ("openvino", "torch"):
        command = [residua, "predict", picture, "--model", bundle, "--engine", engine, "--json"]
        record = json.loads(run(command).stdout)
        assert len(record["class_ids"]) == 5
        assert record["filename"] == str(picture)


@pytest.mark.slow
def test_the_wheels_environment_holds_the_default_dependencies_only():
    python = os.environ.get("RESIDUA_WHEEL_PYTHON")
    if not python:
        pytest.skip("the wheel's environment is not here: run `make test`")
    listing = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout
    installed = {line.partition("=")[0].lower() for line in listing.splitlines()}
    assert {"torch", "openvino", "pillow", "opencv-python-headless"} <= installed
    assert not installed & {"torchvision", "timm", "scikit-learn", "pytest", "ray", "fastapi"}
