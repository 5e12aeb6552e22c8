"""Archives that Paddle itself wrote, against what Paddle's own inference made of the same pixels.

The small ones lie in ``paddle/``; whole networks are written when a Python with Paddle is at hand.
"""

import json
import logging
import os
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from residua.bundle.schema import Architecture, Preprocess
from residua.pixels.prepare import prepare
from residua.zoo.load import load_network, make_network
from residua.zoo.table import find_row
from residua.zoo.weights.files.read import read_weights
from residua.zoo.weights.names.convert import convert
from residua.zoo.weights.resolve import open_bundle

_LOG = logging.getLogger(__name__)
HERE = Path(__file__).parent / "paddle"
ROWS = {row["file"]: row for row in json.loads((HERE / "rows.json").read_text())}
ENDINGS = {
    "softmax": lambda logits: logits.softmax(1),
    "sigmoid": torch.sigmoid,
    "": lambda logits: logits,
}
PIXELS = Preprocess(resampler="opencv", rounding="paddle")
WHOLE = ["ResNet18", "ResNet18_vd", "ResNet34_vd", "ResNet50", "ResNet50_vc", "ResNet50_vd",
         "ResNet101_vd", "ResNet200_vd", "SE_ResNet18_vd", "SE_ResNet50_vd", "ResNeXt50_32x4d",
         "ResNeXt50_vd_64x4d", "SE_ResNeXt50_32x4d", "Res2Net50_26w_4s",
         "Res2Net50_vd_26w_4s"]  # fmt: skip


def row_of(told):
    """The row of one line of ``rows.json``; what is left out there is as in ``networks.py``."""
    known = {key: value for key, value in told.items() if key in Architecture.model_fields}
    return Architecture.model_validate(
        {"name": told["file"], "stem_widths": (4,), "num_classes": 7} | known
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each small network in each format, as a folder."""
    root = tmp_path_factory.mktemp("paddle")
    with tarfile.open(HERE / "archives.tar.xz") as archive:
        archive.extractall(root, filter="data")
    for name in ROWS:
        for form in ("json", "pdmodel"):
            folder = root / f"{name}.{form}"
            folder.mkdir()
            for file in (f"inference.{form}", "inference.pdiparams"):
                (folder / file).write_bytes((root / name / file).read_bytes())
    return root


@pytest.mark.parametrize("form", ["json", "pdmodel"])
@pytest.mark.parametrize("name", ROWS)
def test_small_networks_answer_as_in_paddle(folders, name, form):
    row, ending = row_of(ROWS[name]), ROWS[name]["ending"]
    file = read_weights(folders / f"{name}.{form}")
    found = convert(file.tensors, row, program=file.inference.program)
    noise = np.random.default_rng(5).standard_normal((2, 3, 64, 64), np.float32)
    pictures = noise * np.float32([[[[1]]], [[[4]]]]) + np.float32([[[-1]], [[0]], [[1]]])
    with torch.inference_mode():
        answers = ENDINGS[ending](
            make_network(row, found.tensors).eval()(torch.from_numpy(pictures))
        )
    expected = np.load(folders / name / "answers.npy")
    np.testing.assert_allclose(answers.numpy(), expected, rtol=2e-5, atol=2e-6)
    assert expected.std(axis=0).max() > 0.01  # the two pictures are told apart
    assert found.multi_label is (ending == "sigmoid")
    sides = tuple(ROWS[name].get("input_size", (224, 224)))
    assert file.inference.program.input_shape == (-1, 3, *sides)


def test_a_row_with_a_projection_takes_the_one_without(folders):
    without = row_of(ROWS["identity"])
    file = read_weights(folders / "identity.json")
    row = without.model_copy(update={"first_projection": True})
    networks = [
        make_network(one, convert(file.tensors, one, program=file.inference.program).tensors).eval()
        for one in (row, without)
    ]
    picture = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(networks[0](picture), networks[1](picture))


@pytest.mark.slow
def test_whole_networks_answer_as_in_paddle(tmp_path, shared_data):
    """Paddle's float32 is no farther from the network in float64 than a few times torch's."""
    python = os.environ.get("RESIDUA_PADDLE_PYTHON")
    if not python:
        pytest.skip("RESIDUA_PADDLE_PYTHON names no Python that has paddlepaddle 3")
    photos = sorted((shared_data / "photos").glob("*.JPEG"))[:3]
    crops = np.stack([prepare(photo.read_bytes(), PIXELS) for photo in photos])
    scaled = (crops / np.float32(255) - np.float32(PIXELS.mean)) / np.float32(PIXELS.std)
    scaled = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)
    np.save(tmp_path / "crops.npy", scaled)
    for name in os.environ.get("RESIDUA_PADDLE_ROWS", " ".join(WHOLE)).split():
        _write_whole(python, name, tmp_path)
        for form in ("json", "pdmodel"):
            folder = tmp_path / f"{name}.{form}"
            bundle = open_bundle(folder)
            assert bundle.manifest.architecture == find_row(name)
            assert bundle.manifest.preprocess == PIXELS
            theirs = np.load(folder / "answers.npy")
            network, pictures = load_network(bundle), torch.from_numpy(scaled)
            with torch.inference_mode():
                ours = network(pictures).numpy()
                exact = network.double()(pictures.double()).numpy()
            off, own = np.abs(theirs - exact).max(), np.abs(ours - exact).max()
            # To be seen with --log-cli-level=INFO.
            _LOG.info("%s.%s: logits to %.1f; off torch %.1e, float64 %.1e (torch %.1e)", name,
                      form, np.abs(exact).max(), np.abs(theirs - ours).max(), off, own)  # fmt: skip
            assert theirs.std(axis=0).mean() > 0.05  # the pictures are told apart
            assert off < 4 * own + 1e-6 * np.abs(exact).max()
            for file in folder.iterdir():
                file.unlink()


def _write_whole(python, name, folder):
    """Let Paddle write the row's network, with random weights, in both formats."""
    row = find_row(name)
    legendary = name.startswith("ResNet") and not name.endswith("_vc") and row.groups == 1
    told = {"file": name, "legendary": legendary, "ending": "", "settle": True}
    (folder / "rows.json").write_text(json.dumps([told | row.model_dump(mode="json")]))
    command = [python, HERE / "write_archives.py", folder / "rows.json", folder / "crops.npy",
               folder]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
