"""Real weights on real photos: the whole way from file to answer against stored golden values."""

import json
import subprocess
import sys
from hashlib import sha256

import numpy as np
import onnxruntime
import openvino
import pytest

import residua
from residua.bundle.store import read_bundle
from residua.export.run import export_bundle
from residua.pixels.decode import decode


@pytest.fixture(scope="module")
def golden(shared_data):
    return json.loads((shared_data / "weights" / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bundle(shared_data, tmp_path_factory):
    """The test weights as a bundle, made by the command that users have."""
    path = tmp_path_factory.mktemp("imported") / "resnet18.bundle"
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    subprocess.run(
        [sys.executable, "-m", "residua", "weights", "import", weights,
         "--model", "ResNet18", "--output", path],
        check=True, capture_output=True,
    )  # fmt: skip
    return read_bundle(path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_photos_get_the_golden_answers(engine, bundle, golden, shared_data):
    predictions = golden["predictions"]
    paths = [shared_data / "photos" / entry["file"] for entry in predictions]
    answers = list(residua.load(bundle.path, engine=engine).predict(paths, top_k=1000))
    assert len(answers) == len(predictions) == 60
    right = right5 = 0
    for path, entry, answer in zip(paths, predictions, answers, strict=True):
        assert sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        scores = dict(zip(answer.class_ids, answer.scores, strict=True))
        expected = entry["top5_probabilities"]
        found = [scores[class_id] for class_id in entry["top5_ids"]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        # The order is compared where neighbours are further apart than the bound.
        for place in range(4):
            if expected[place] - expected[place + 1] > 2e-4:
                assert set(answer.class_ids[: place + 1]) == set(entry["top5_ids"][: place + 1])
        right += answer.class_ids[0] == entry["label"]
        right5 += entry["label"] in answer.class_ids[:5]
    assert (right, right5) == (golden["top1_count"], golden["top5_count"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_graph_of_whole_photos_gets_the_golden_answers(kind, bundle, golden, shared_data):
    [outcome] = export_bundle(bundle, [kind], takes="image")
    assert outcome.error is None, outcome.error
    file = bundle.path / outcome.export.entry
    if kind == "onnx":
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    else:
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        session = openvino.Core().compile_model(file, "CPU", options)
    right = 0
    for entry in golden["predictions"]:
        photo = decode((shared_data / "photos" / entry["file"]).read_bytes())[np.newaxis]
        answers = session.run(None, {"image": photo}) if kind == "onnx" else session(photo)
        found = answers[0][0][entry["top5_ids"]]
        np.testing.assert_allclose(found, entry["top5_probabilities"], rtol=0, atol=1e-4)
        right += answers[0][0].argmax() == entry["label"]
    assert right == golden["top1_count"]


@pytest.mark.slow
def test_a_weight_file_alone_predicts(golden, shared_data):
    weights = shared_data / "weights" / "imagenet-resnet18-test.safetensors"
    entry = golden["predictions"][0]
    command = [sys.executable, "-m", "residua", "predict", shared_data / "photos" / entry["file"]]
    done = subprocess.run([*command, "--model", weights], check=True, capture_output=True)
    record = json.loads(done.stdout)
    assert record["class_ids"] == entry["top5_ids"]
    assert record["scores"] == pytest.approx(entry["top5_probabilities"], abs=1e-4)
    assert record["label_names"][0] == "tench, Tinca tinca"


@pytest.mark.slow
def test_a_cifar_checkpoint_from_elsewhere_reaches_its_accuracy(shared_data, tmp_path):
    """91.78 % published on CIFAR-10; about 81 % on these lossy copies."""
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(shared_data / "cifar10-jpeg" / "test.parquet")
    names = json.loads(table.schema.metadata[b"class_names"])
    (tmp_path / "names.txt").write_text("\n".join(names))
    path = tmp_path / "resnet20.bundle"
    subprocess.run(
        [sys.executable, "-m", "residua", "weights", "import",
         shared_data / "weights" / "cifar10-resnet20.th",
         "--model", "ResNet20", "--output", path, "--classes", tmp_path / "names.txt"],
        check=True, capture_output=True,
    )  # fmt: skip
    labels = table["label"].to_pylist()
    images = (scalar.as_py() for scalar in table["image"])
    answers = residua.load(path).predict(images, top_k=1, batch_size=64)
    right = 0
    for label, answer in zip(labels, answers, strict=True):
        right += answer.class_ids == [label]
        assert answer.label_names == [names[answer.class_ids[0]]]
    assert len(labels) == 10_000
    assert right / 10_000 == pytest.approx(0.81, abs=0.01)
