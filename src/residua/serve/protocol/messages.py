"""The messages of the Open Inference Protocol's gRPC service, made from a table.

Names and numbers are those of open_inference_grpc.proto (kserve/open-inference-protocol, package
``inference``) and of the repository's messages in Triton's grpc_service.proto, which KServe's own
file has as well. They live in a pool of their own, so that a client library that brings the same
names can be imported beside them.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "inference.GRPCInferenceService"

# message → fields: [repeated | map | oneof] TYPE NAME NUMBER; Outer.Inner is nested.
_FIELDS: dict[str, tuple[str, ...]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live 1",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready 1",),
    "ModelReadyRequest": ("string name 1", "string version 2"),
    "ModelReadyResponse": ("bool ready 1",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (
        "string name 1", "string version 2", "repeated string extensions 3",
    ),
    "ModelMetadataRequest": ("string name 1", "string version 2"),
    "ModelMetadataResponse": (
        "string name 1", "repeated string versions 2", "string platform 3",
        "repeated ModelMetadataResponse.TensorMetadata inputs 4",
        "repeated ModelMetadataResponse.TensorMetadata outputs 5",
    ),
    "ModelMetadataResponse.TensorMetadata": (
        "string name 1", "string datatype 2", "repeated int64 shape 3",
    ),
    "InferParameter": (
        "oneof bool bool_param 1", "oneof int64 int64_param 2", "oneof string string_param 3",
        "oneof double double_param 4", "oneof uint64 uint64_param 5",
    ),
    "InferTensorContents": (
        "repeated bool bool_contents 1", "repeated int32 int_contents 2",
        "repeated int64 int64_contents 3", "repeated uint32 uint_contents 4",
        "repeated uint64 uint64_contents 5", "repeated float fp32_contents 6",
        "repeated double fp64_contents 7", "repeated bytes bytes_contents 8",
    ),
    "ModelInferRequest": (
        "string model_name 1", "string model_version 2", "string id 3",
        "map InferParameter parameters 4",
        "repeated ModelInferRequest.InferInputTensor inputs 5",
        "repeated ModelInferRequest.InferRequestedOutputTensor outputs 6",
        "repeated bytes raw_input_contents 7",
    ),
    "ModelInferRequest.InferInputTensor": (
        "string name 1", "string datatype 2", "repeated int64 shape 3",
        "map InferParameter parameters 4", "InferTensorContents contents 5",
    ),
    "ModelInferRequest.InferRequestedOutputTensor": (
        "string name 1", "map InferParameter parameters 2",
    ),
    "ModelInferResponse": (
        "string model_name 1", "string model_version 2", "string id 3",
        "map InferParameter parameters 4",
        "repeated ModelInferResponse.InferOutputTensor outputs 5",
        "repeated bytes raw_output_contents 6",
    ),
    "ModelInferResponse.InferOutputTensor": (
        "string name 1", "string datatype 2", "repeated int64 shape 3",
        "map InferParameter parameters 4", "InferTensorContents contents 5",
    ),
    "RepositoryIndexRequest": ("string repository_name 1", "bool ready 2"),
    "RepositoryIndexResponse": ("repeated RepositoryIndexResponse.ModelIndex models 1",),
    "RepositoryIndexResponse.ModelIndex": (
        "string name 1", "string version 2", "string state 3", "string reason 4",
    ),
    "RepositoryModelLoadRequest": ("string repository_name 1", "string model_name 2"),
    "RepositoryModelLoadResponse": (),
    "RepositoryModelUnloadRequest": ("string repository_name 1", "string model_name 2"),
    "RepositoryModelUnloadResponse": (),
}  # fmt: skip

METHODS = (
    "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer",
    "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload",
)  # fmt: skip

_Field = descriptor_pb2.FieldDescriptorProto


def _make_file() -> descriptor_pb2.FileDescriptorProto:
    """Return the file that the table describes."""
    file = descriptor_pb2.FileDescriptorProto(
        name="residua/open_inference.proto", package="inference", syntax="proto3"
    )
    places: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name in _FIELDS:
        outer, _, inner = name.rpartition(".")
        kept = places[outer].nested_type if outer else file.message_type
        places[name] = kept.add(name=inner)
    for name, lines in _FIELDS.items():
        for line in lines:
            _add_field(places[name], f".inference.{name}", line)
    service = file.service.add(name=SERVICE.rpartition(".")[2])
    for method in METHODS:
        service.method.add(
            name=method,
            input_type=f".inference.{method}Request",
            output_type=f".inference.{method}Response",
        )
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, path: str, line: str) -> None:
    *rule, kind, name, number = line.split()
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if rule and rule[0] != "oneof" else _Field.LABEL_OPTIONAL
    if rule == ["oneof"]:
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if rule == ["map"]:  # a repeated message of key and value, as protoc writes it
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "", "string key 1")
        _add_field(entry, "", f"{kind} value 2")
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{path}.{entry.name}"
    elif kind in _FIELDS:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".inference.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_make_file())


def message_class(name: str) -> Any:
    """Return the class of a message, as ModelInferRequest."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"inference.{name}"))
