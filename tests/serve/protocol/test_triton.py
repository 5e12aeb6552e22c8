"""NVIDIA's own client, in a Python of its own, sends tensors and JPEGs over HTTP and gRPC."""

import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from making import save_noise
from residua.engines.open import make_demand, open_runtime
from residua.pixels.prepare import prepare

PYTHON = os.environ.get("RESIDUA_TRITON_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="RESIDUA_TRITON_PYTHON names no Python that has tritonclient"
)


@pytest.fixture(scope="module")
def told(start, served_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jpegs")
    paths = [save_noise(folder / f"{seed}.jpg", seed=seed) for seed in range(3)]
    tokens = folder / "tokens.txt"
    tokens.write_text("# for the tests\nsecret\n")
    server = start(
        served_bundle.path, "--engine", "openvino", "--threads", "1", "--token-file", tokens
    )
    preprocess = served_bundle.manifest.preprocess
    crops = np.stack([prepare(path.read_bytes(), preprocess) for path in paths])
    packed = io.BytesIO()
    np.save(packed, crops)
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("ask_triton.py"), str(server.port),
         str(server.grpc_port), "secret", *paths],
        input=packed.getvalue(), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    expected = open_runtime("torch", make_demand(served_bundle, "torch", "fp32")).run(crops)
    return json.loads(done.stdout), expected


@pytest.mark.parametrize("kind", ["tritonclient.http", "tritonclient.grpc"])
def test_tritons_client_is_at_home(told, kind):
    found, expected = told[0][kind], told[1]
    assert found["live"] and found["ready"] and found["model ready"]  # noqa: PT018
    assert found["metadata"]["name"] == "net"
    assert found["metadata"]["inputs"][0]["datatype"] == "UINT8"
    assert found["index"][0]["state"] == "READY"
    np.testing.assert_allclose(found["tensors"], expected, atol=2e-5)
    for row, texts in zip(expected, found["labels"], strict=True):
        order = np.argsort(-row)[:2]
        assert [int(text.split(":")[1]) for text in texts] == order.tolist()
        values = [float(text.split(":")[0]) for text in texts]
        np.testing.assert_allclose(values, row[order], atol=2e-5)
    assert "picture 0 is no picture" in found["refusal"]
