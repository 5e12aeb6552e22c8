"""The open protocol over gRPC, with gRPC's own client."""

import struct

import grpc
import numpy as np
import pytest

from residua.serve.protocol.messages import METHODS, SERVICE, message_class


@pytest.fixture(scope="module")
def call(server):
    channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")

    def ask(method, timeout=30, metadata=None, **fields):
        stub = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_class(f"{method}Response").FromString,
        )
        request = message_class(f"{method}Request")(**fields)
        return stub(request, timeout=timeout, metadata=metadata)

    yield ask
    channel.close()


def test_descriptions(call):
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ModelReady", name="net").ready
    assert "classification" in call("ServerMetadata").extensions
    said = call("ModelMetadata", name="net")
    assert list(said.inputs[0].shape) == [-1, 64, 64, 3]
    [index] = call("RepositoryIndex").models
    assert (index.name, index.version, index.state) == ("net", "1", "READY")


@pytest.mark.parametrize("raw", [True, False])
def test_tensors(call, crops, expected, raw):
    tensor = {"name": "image", "datatype": "UINT8", "shape": list(crops.shape)}
    fields = {"model_name": "net", "id": "9", "inputs": [tensor]}
    if raw:
        fields["raw_input_contents"] = [crops.tobytes()]
    else:
        tensor["contents"] = {"uint_contents": crops.ravel().tolist()}
    answer = call("ModelInfer", **fields)
    assert (answer.id, answer.model_name) == ("9", "net")
    found = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(3, 5)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_pictures_and_classes(call, photos, expected):
    answer = call(
        "ModelInfer", model_name="net",
        inputs=[{"name": "image", "datatype": "BYTES", "shape": [3],
                 "contents": {"bytes_contents": photos[:3]}}],
        outputs=[{"name": "probabilities",
                  "parameters": {"classification": {"int64_param": 1}}}],
    )  # fmt: skip
    raw = answer.raw_output_contents[0]
    for row in expected:
        (size,) = struct.unpack_from("<I", raw)
        assert raw[4 : 4 + size].decode().split(":")[1] == str(row.argmax())
        raw = raw[4 + size :]


CASES = {
    "unknown": ({"model_name": "cat"}, grpc.StatusCode.NOT_FOUND),
    "no input": ({"model_name": "net"}, grpc.StatusCode.INVALID_ARGUMENT),
    "sizes": (
        {"model_name": "net", "raw_input_contents": [b"xx"],
         "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 3]}]},
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "numbers that are none of the kind": (
        {"model_name": "net",
         "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3],
                     "contents": {"uint_contents": [300, 2**31, 5]}}]},
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a timeout that is none": (
        {"model_name": "net", "parameters": {"timeout": {"string_param": "soon"}},
         "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 1, 1, 3],
                     "contents": {"uint_contents": [1, 2, 3]}}]},
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "no picture": (
        {"model_name": "net",
         "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1],
                     "contents": {"bytes_contents": [b"no picture"]}}]},
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refusals(call, name):
    fields, code = CASES[name]
    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer", **fields)
    assert caught.value.code() is code
    assert caught.value.details()


def test_a_deadline_is_kept(call, photos):
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1],
              "contents": {"bytes_contents": photos[:1]}}  # fmt: skip
    with pytest.raises(grpc.RpcError) as caught:
        call(
            "ModelInfer", model_name="net", inputs=[tensor],
            parameters={"timeout": {"int64_param": 1}},
        )  # fmt: skip
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_repository_is_closed_without_admin_tokens(call):
    with pytest.raises(grpc.RpcError) as caught:
        call("RepositoryModelLoad", model_name="net")
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_every_method_has_its_messages():
    for method in METHODS:
        for end in ("Request", "Response"):
            assert (
                message_class(f"{method}{end}").DESCRIPTOR.full_name == f"inference.{method}{end}"
            )
