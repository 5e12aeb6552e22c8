"""The programs of docs/clients.md, taken from the page and run, answer as residua does."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from residua.bundle.schema import Preprocess
from residua.bundle.store import read_bundle
from residua.export.run import export_bundle
from residua.predict.classifier import Classifier
from residua.zoo.weights.resolve import import_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
PACKAGES = ("onnxruntime-node@1.30.0", "jpeg-js@0.4.4", "pngjs@7.0.0")


def program(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def make(shared_data, path, **preprocess):
    for library in ("onnx", "onnxruntime"):
        pytest.importorskip(library)
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    bundle = import_file(weights, output=path, model="ResNet18", preprocess=preprocess)
    (outcome,) = export_bundle(bundle, ["onnx"])
    assert outcome.error is None
    return read_bundle(path)


@pytest.fixture(scope="module")
def bundle(shared_data, tmp_path_factory):
    return make(shared_data, tmp_path_factory.mktemp("clients") / "ResNet18.bundle")


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data / "weights" / "golden.json").read_text())["predictions"]


def test_python_gives_the_golden_answers(bundle, golden, shared_data, tmp_path):
    (tmp_path / "client.py").write_text(program("python"))
    photos = [shared_data / "photos" / entry["file"] for entry in golden]
    model = bundle.path / "exports" / "onnx" / "model.onnx"
    found = run(sys.executable, tmp_path / "client.py", model, *photos)
    for answer, entry in zip(found, golden, strict=True):
        assert list(answer.values()) == pytest.approx(entry["top5_probabilities"], abs=1e-4)
        names = [bundle.manifest.classes.names[index] for index in entry["top5_ids"]]
        assert next(iter(answer)) == names[0]
        assert len({*answer, *names}) <= 6  # the fifth and sixth may be too close to tell


def test_python_knows_no_residua():
    assert "residua" not in program("python")


def test_another_preprocessing_is_refused(shared_data, tmp_path):
    assert Preprocess().rounding == "torchvision"
    bundle = make(shared_data, tmp_path / "x.bundle", resampler="opencv")
    (tmp_path / "client.py").write_text(program("python"))
    model = bundle.path / "exports" / "onnx" / "model.onnx"
    done = subprocess.run(
        [sys.executable, tmp_path / "client.py", model, "a.jpg"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"another preprocessing" in done.stderr


@pytest.fixture(scope="module")
def node():
    """A folder with the packages of the JavaScript client; they stay, since they are large."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = ROOT / "build" / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {' '.join(PACKAGES)}: {done.stderr[-300:]}")
    (folder / "client.js").write_text(program("javascript"))
    return folder


@pytest.mark.parametrize(("form", "bound"), [("PNG", 1e-3), ("JPEG", 0.1)])
def test_javascript_answers_as_residua(node, bundle, golden, shared_data, tmp_path, form, bound):
    photos = []
    for entry in golden[::8]:
        photo = shared_data / "photos" / entry["file"]
        if form == "PNG":  # where no decoder decides
            with Image.open(photo) as image:
                photo = tmp_path / f"{photo.stem}.png"
                image.convert("RGB").save(photo)
        photos.append(photo)
    model = bundle.path / "exports" / "onnx" / "model.onnx"
    found = run("node", node / "client.js", model, bundle.path / "bundle.json", *photos, cwd=node)
    expected = list(Classifier(bundle, engine="onnxruntime").predict(photos))
    for answer, prediction in zip(found, expected, strict=True):
        names, scores = prediction.label_names, prediction.scores
        assert next(iter(answer)) == names[0]
        for name, score in zip(names, scores, strict=True):
            if name in answer:
                assert answer[name] == pytest.approx(score, abs=bound)
        assert len({*answer, *names}) <= 7
