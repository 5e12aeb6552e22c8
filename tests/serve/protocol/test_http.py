"""The open protocol over HTTP: by hand, byte for byte as the specification has it."""

import base64
import json
import struct

import numpy as np
import pytest

LENGTH = "Inference-Header-Content-Length"


def infer(server, said, raw=b"", path="/v2/models/net/infer"):
    head = json.dumps(said).encode()
    headers = {LENGTH: str(len(head))} if raw else {"Content-Type": "application/json"}
    return server.ask("POST", path, head + raw, headers)


def pixels(crops, **parameters):
    return {
        "name": "image", "datatype": "UINT8", "shape": list(crops.shape), "parameters": parameters,
    }  # fmt: skip


def test_health_and_descriptions(server, served_bundle):
    assert server.ask("GET", "/v2/health/live").json == {"live": True}
    assert server.ask("GET", "/v2/health/ready").json["ready"] is True
    assert server.ask("GET", "/v2").json["name"] == "residua"
    assert server.ask("GET", "/v2/models").json == {"models": ["net"]}
    assert server.ask("GET", "/v2/models/net/versions/1/ready").status == 200
    said = server.ask("GET", "/v2/models/net").json
    assert said["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 64, 64, 3]}]
    assert said["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 5]}]
    assert said["versions"] == ["1"]
    assert server.ask("GET", "/v2/models/other").status == 404
    [index] = server.ask("POST", "/v2/repository/index").json
    assert index == {"name": "net", "version": "1", "state": "READY", "reason": ""}


def test_numbers_in_json(server, crops, expected):
    said = {"id": "7", "inputs": [pixels(crops) | {"data": crops.tolist()}]}
    answer = infer(server, said).json
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "net", "1")
    [output] = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == (
        "probabilities",
        "FP32",
        [3, 5],
    )
    found = np.array(output["data"]).reshape(3, 5)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    flat = infer(server, {"inputs": [pixels(crops) | {"data": crops.ravel().tolist()}]}).json
    assert flat["outputs"][0]["data"] == output["data"]


def test_tensors_in_binary_both_ways(server, crops, expected):
    said = {
        "inputs": [pixels(crops, binary_data_size=crops.nbytes)],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    }
    answer = infer(server, said, crops.tobytes())
    assert answer.status == 200, answer.body
    length = int(answer.headers[LENGTH])
    [output] = json.loads(answer.body[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 3 * 5 * 4}
    found = np.frombuffer(answer.body[length:], "<f4").reshape(3, 5)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_encoded_pictures_and_the_best_classes(server, photos, expected):
    raw = b"".join(struct.pack("<I", len(each)) + each for each in photos[:3])
    said = {
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [3],
             "parameters": {"binary_data_size": len(raw)}}
        ],
        "outputs": [{"name": "probabilities", "parameters": {"classification": 2}}],
    }  # fmt: skip
    [output] = infer(server, said, raw).json["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [3, 2])
    for row, texts in zip(expected, np.array(output["data"]).reshape(3, 2), strict=True):
        order = np.argsort(-row)[:2]
        for index, text in zip(order, texts, strict=True):
            value, number, label = text.split(":")
            assert float(value) == pytest.approx(row[index], abs=2e-5)
            assert (int(number), label) == (index, f"class {index}")
    texts = [base64.b64encode(each).decode() for each in photos[:3]]
    same = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [3], "data": texts}]}
    found = np.array(infer(server, same).json["outputs"][0]["data"]).reshape(3, 5)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_picture_alone_is_a_whole_request(server, photos, expected):
    answer = server.ask("POST", "/v2/models/net/infer", photos[0], {LENGTH: "0"})
    [output] = answer.json["outputs"]
    np.testing.assert_allclose(output["data"], expected[0], atol=2e-5)


def test_pixels_of_any_size_are_prepared_as_pictures_are(server, photos, expected):
    from io import BytesIO

    from PIL import Image

    whole = np.asarray(Image.open(BytesIO(photos[0])))[None]
    said = {"inputs": [pixels(whole, binary_data_size=whole.nbytes)]}
    [output] = infer(server, said, whole.tobytes()).json["outputs"]
    np.testing.assert_allclose(output["data"], expected[0], atol=2e-5)


WRONG = {
    "no JSON": (b"{", {}),
    "a header beyond the body": (b"{}", {LENGTH: "99"}),
    "a header that is no number": (b"{}", {LENGTH: "-1"}),
    "no inputs": (b'{"inputs": []}', {}),
}
BAD_INPUTS = {
    "another name": {"name": "x", "datatype": "UINT8", "shape": [1], "data": [1]},
    "an unknown type": {"name": "image", "datatype": "INT4", "shape": [1], "data": [1]},
    "floats": {"name": "image", "datatype": "FP32", "shape": [1, 1, 1, 3], "data": [1, 2, 3]},
    "too few numbers": {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [1]},
    "numbers beyond the type": {
        "name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 256],
    },
    "ragged numbers": {
        "name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [[1, 2], [3]],
    },
    "texts": {"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": ["a"] * 3},
    "a negative side": {"name": "image", "datatype": "UINT8", "shape": [-1, 1], "data": []},
    "binary beyond the body": {
        "name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3],
        "parameters": {"binary_data_size": 12},
    },
    "no picture": {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["AAAA"]},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_bodies_that_make_no_sense(server, name):
    body, headers = WRONG[name]
    answer = server.ask("POST", "/v2/models/net/infer", body, headers)
    assert answer.status == 400, answer.body
    assert list(answer.json) == ["error"]


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_inputs_that_make_no_sense(server, name):
    answer = infer(server, {"inputs": [BAD_INPUTS[name]]})
    assert answer.status in {400, 415}, answer.body
    assert list(answer.json) == ["error"]


def test_a_shape_of_astronomic_size_is_refused_before_anything_is_allocated(server):
    huge = {"name": "image", "datatype": "UINT8", "shape": [10**6] * 4, "data": [1]}
    assert infer(server, {"inputs": [huge]}).status == 413


def test_outputs_that_are_not_there(server, crops):
    said = {"inputs": [pixels(crops) | {"data": crops.tolist()}], "outputs": [{"name": "logits"}]}
    answer = infer(server, said)
    assert answer.status == 400
    assert "probabilities" in answer.json["error"]


def test_an_output_is_asked_for_once(server, crops):
    """Each would be as large as the others: a few bytes could ask for gigabytes."""
    question = {
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(crops[:1].shape),
                    "data": crops[:1].ravel().tolist()}],
        "outputs": [{"name": "probabilities"}] * 1000,
    }  # fmt: skip
    answer = server.post_json("/v2/models/net/infer", question)
    assert answer.status == 400
    assert "1000 outputs" in answer.json["error"]


def test_a_timeout_beyond_all_numbers_is_the_clients_fault(server, crops):
    question = {
        "parameters": {"timeout": 10**400},
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(crops[:1].shape),
                    "data": crops[:1].ravel().tolist()}],
    }  # fmt: skip
    assert server.post_json("/v2/models/net/infer", question).status == 400
