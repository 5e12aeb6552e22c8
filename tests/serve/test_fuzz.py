"""Whatever is sent, a fault of the client is said to be one: no crash, no 5xx but 503 and 504."""

import json

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from residua.serve.protocol.messages import METHODS, SERVICE, message_class

schemathesis = pytest.importorskip("schemathesis")
openapi = pytest.importorskip("schemathesis.specs.openapi.checks")

OURS = (503, 504)  # what a server may say of itself
BROKEN = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
CONFORMS = [
    schemathesis.checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_what_the_openapi_document_allows_and_what_it_does_not(server, mode):
    document = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    document.validate()
    seen = set()
    for found in document.get_all_operations():
        operation = found.ok()
        seen.add(operation.label)

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(mode))
        def ask(case):
            response = case.call()
            if response.status_code not in OURS:
                case.validate_response(response, checks=CONFORMS)

        try:
            ask()
        except Unsatisfiable:  # nothing about it can be wrong
            assert mode is schemathesis.GenerationMode.NEGATIVE
    assert {"POST /v1/predict", "POST /v2/models/{name}/infer", "POST /{name}/prediction"} < seen


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["image", "other", ""]),
        "datatype": st.sampled_from(["BYTES", "UINT8", "FP32", "INT64", "BOOL", "FP16", "x"]),
        "shape": st.lists(st.integers(-2, 2**40) | st.integers(0, 4), max_size=5),
    },
    optional={
        "data": json_values,
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "classification", "x"]), json_values, max_size=2
        ),
    },
)
questions = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=2)},
    optional={
        "id": st.text(max_size=5),
        "outputs": st.lists(st.fixed_dictionaries({"name": st.just("probabilities")}), max_size=2),
        "parameters": st.dictionaries(
            st.sampled_from(["timeout", "binary_data_output"]), json_values, max_size=2
        ),
    },
)


@often
@given(
    question=questions,
    tail=st.binary(max_size=64),
    off=st.integers(-3, 3),
    size=st.integers(-2, 70),
)
def test_tensors_in_binary_whose_sizes_do_not_agree(server, question, tail, off, size):
    for each in question["inputs"]:
        each.setdefault("parameters", {}).setdefault("binary_data_size", size)
    head = json.dumps(question).encode()
    headers = {"Inference-Header-Content-Length": str(len(head) + off)}
    answer = server.ask("POST", "/v2/models/net/infer", head + tail, headers)
    assert answer.status < 500 or answer.status in OURS, answer.body


@often
@given(question=questions)
def test_tensors_in_json(server, question):
    answer = server.post_json("/v2/models/net/infer", question)
    assert answer.status < 500 or answer.status in OURS, answer.body


@often
@given(path=st.sampled_from(["/v1/predict", "/v1/explain", "/net/prediction",
                             "/v2/models/net/infer", "/v2/repository/index"]),
       record=json_values | st.binary(max_size=100))  # fmt: skip
def test_any_json_anywhere(server, path, record):
    body = record if isinstance(record, bytes) else json.dumps(record)
    answer = server.ask("POST", path, body, {"Content-Type": "application/json"})
    assert answer.status < 500 or answer.status in OURS, answer.body


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"images":[', '{"inputs":['])
@pytest.mark.parametrize("path", ["/v1/predict", "/net/prediction", "/v2/models/net/infer",
                                  "/v2/repository/index"])  # fmt: skip
def test_json_that_is_nested_without_end(server, path, opening):
    body = opening * 100_000
    answer = server.ask("POST", path, body, {"Content-Type": "application/json"})
    assert 400 <= answer.status < 500, answer.body


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


@often
@given(method=st.sampled_from(sorted(METHODS)), content=st.binary(max_size=200))
def test_bytes_that_are_no_message(channel, method, content):
    call = channel.unary_unary(f"/{SERVICE}/{method}")
    try:
        call(content, timeout=20)
    except grpc.RpcError as error:
        assert error.code() not in BROKEN, error  # noqa: PT017


@often
@given(
    shape=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 4), max_size=5),
    datatype=st.sampled_from(["BYTES", "UINT8", "FP32", "INT64", "x"]),
    raw=st.lists(st.binary(max_size=100), max_size=2),
    contents=st.dictionaries(
        st.sampled_from(["int_contents", "uint_contents"]),
        st.lists(st.integers(0, 255), max_size=5), max_size=2,
    ) | st.fixed_dictionaries({"bytes_contents": st.lists(st.binary(max_size=9), max_size=2)}),
    top=st.integers(-(2**63), 2**63 - 1),
)  # fmt: skip
def test_tensors_over_grpc_that_do_not_agree(channel, shape, datatype, raw, contents, top):
    tensor = {"name": "image", "datatype": datatype, "shape": shape, "contents": contents}
    wanted = {"name": "probabilities", "parameters": {"classification": {"int64_param": top}}}
    message = message_class("ModelInferRequest")(
        model_name="net", inputs=[tensor], outputs=[wanted], raw_input_contents=raw
    )
    call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    try:
        call(message.SerializeToString(), timeout=20)
    except grpc.RpcError as error:
        assert error.code() not in BROKEN, error  # noqa: PT017
