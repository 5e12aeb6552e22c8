"""The published ResNet-18 of the test data, in every guise, against its golden answers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from residua.bundle.schema import Architecture
from residua.zoo.table import find_row
from residua.zoo.weights.files.read import read_tensors
from residua.zoo.weights.names.convert import convert
from residua.zoo.weights.names.detect import detect_row
from zoo.weights.files import written
from zoo.weights.names import published
from zoo.weights.names.running import load, logits


@pytest.fixture(scope="module")
def real(shared_data):
    tensors = load_file(shared_data / "weights" / "imagenet-resnet18-test.safetensors")
    return {name: array.astype(np.float32) for name, array in tensors.items()}


@pytest.fixture(scope="module")
def found(real):
    return convert(real, find_row("ResNet18"))


def test_golden_probabilities(found, shared_data):
    golden = json.loads((shared_data / "weights" / "golden.json").read_text())
    network = load(found.tensors, found.row)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    for photo in golden["predictions"][::8]:
        picture = Image.open(shared_data / "photos" / photo["file"]).convert("RGB")
        width, height = picture.size
        short, long = min(width, height), max(width, height)
        sides = {short: 256, long: int(256 * long / short)}
        picture = picture.resize((sides[width], sides[height]), Image.Resampling.BILINEAR)
        left, top = (round((side - 224) / 2) for side in picture.size)
        pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)
        chw = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None]
        with torch.inference_mode():
            answer = network(torch.from_numpy(np.ascontiguousarray(chw)))
        scores = answer.softmax(1)[0].numpy()
        np.testing.assert_allclose(
            scores[photo["top5_ids"]], photo["top5_probabilities"], atol=1e-4
        )
        assert scores.argmax() == photo["top5_ids"][0]


def test_projection_is_exact_on_real_weights(real, found):
    without = Architecture(name="plain", block="basic", depths=(2, 2, 2, 2), first_projection=False)
    bare = convert(real, without)
    assert bare.notes == ()
    assert torch.equal(
        logits(bare.tensors, bare.row, size=224), logits(found.tensors, found.row, size=224)
    )


@pytest.mark.parametrize(
    "namer",
    [
        published.current,
        published.by_stage,
        published.by_letter,
        published.mixture,
        published.static,
        published.generated,
    ],
)
def test_paddle_files_give_the_same_logits(found, namer, tmp_path):
    theirs = published.rename(found.row, found.tensors, namer)
    path = tmp_path / "ResNet18_pretrained.pdparams"
    path.write_bytes(written.pdparams(theirs, protocol=2 if namer is published.by_letter else 4))
    tensors = read_tensors(path)
    row = detect_row(tensors, path.name)
    again = convert(tensors, row)
    assert row == found.row
    difference = logits(again.tensors, row, size=96) - logits(found.tensors, row, size=96)
    assert difference.abs().max() < 1e-5


def test_cifar_checkpoint(shared_data):
    tensors = read_tensors(shared_data / "weights" / "cifar10-resnet20.th")
    row = detect_row(tensors, "cifar10-resnet20.th")
    assert row == find_row("ResNet20")
    found = convert(tensors, row)
    assert sum(a.size for k, a in found.tensors.items() if "running" not in k) == 269_722
    load(found.tensors, row)
