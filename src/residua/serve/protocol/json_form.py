"""The open protocol's questions and answers as JSON, with tensors in binary behind it.

Header ``Inference-Header-Content-Length: n``: n bytes of JSON, then the raw tensors in the order of
the inputs. With n = 0 the whole body is one encoded picture (Triton's raw binary request).
"""

import json
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from residua.serve.http.bodies import spell
from residua.serve.protocol.inference import INPUT, read_timeout
from residua.serve.protocol.tensors import (
    Answer,
    Question,
    Tensor,
    Wanted,
    count_elements,
    find_datatype,
    from_raw,
    to_raw,
)
from residua.serve.refusals import Kind, Refusal

Whole = Annotated[int, Field(ge=0)]


class _Input(BaseModel):
    name: str
    datatype: str
    shape: list[Whole]
    parameters: dict[str, Any] = {}
    data: Any = None


class _Output(BaseModel):
    name: str
    parameters: dict[str, Any] = {}


class InferBody(BaseModel):
    """The JSON of a question."""

    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[_Input]
    outputs: list[_Output] = []


def read_question(body: bytes, header_length: str | None, most: int) -> Question:
    """Return the question of a body; ``most`` bounds the elements of a tensor. Raises Refusal."""
    if header_length == "0":
        return Question((Tensor(INPUT, "BYTES", (1,), [body]),), (Wanted("probabilities"),))
    length = len(body)
    if header_length is not None:
        length = read_length(header_length)
        if not 0 <= length <= len(body):
            raise Refusal(Kind.INVALID, "Inference-Header-Content-Length is not within the body.")
    try:
        said = InferBody.model_validate_json(body[:length])
    except ValidationError as error:
        raise Refusal(Kind.INVALID, spell(error)) from error
    raw, place = memoryview(body), length
    inputs: list[Tensor] = []
    for each in said.inputs:
        size = each.parameters.get("binary_data_size")
        if size is None:
            inputs.append(_read_data(each, most))
            continue
        if not isinstance(size, int) or size < 0 or place + size > len(body):
            raise Refusal(Kind.INVALID, f"{each.name}: binary_data_size is not within the body.")
        part = raw[place : place + size]
        inputs.append(from_raw(each.name, each.datatype, tuple(each.shape), part, most))
        place += size
    if place != len(body):
        raise Refusal(Kind.INVALID, f"{len(body) - place} bytes of the body belong to no input.")
    binary = bool(said.parameters.get("binary_data_output"))
    outputs = tuple(_read_wanted(each, binary=binary) for each in said.outputs)
    if not outputs and binary:
        outputs = (Wanted("probabilities", binary=True),)
    return Question(tuple(inputs), outputs, said.id, read_timeout(said.parameters.get("timeout")))


def read_length(text: str) -> int:
    """Return the number of a header, -1 where it is none: ASCII digits, and not without end."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def _read_wanted(output: _Output, *, binary: bool) -> Wanted:
    top = output.parameters.get("classification", 0)
    if isinstance(top, bool) or not isinstance(top, int) or top < 0:
        raise Refusal(Kind.INVALID, f"{output.name}: classification is a whole number.")
    return Wanted(output.name, top, bool(output.parameters.get("binary_data", binary)))


def _read_data(given: _Input, most: int) -> Tensor:
    """Return a tensor whose numbers stand in the JSON, nested or flat. Raises Refusal."""
    shape = tuple(given.shape)
    count = count_elements(given.name, shape, most)
    if given.datatype == "BYTES":
        texts = _flatten(given.data)
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            raise Refusal(Kind.INVALID, f"{given.name}: BYTES {list(shape)} are {count} texts.")
        return Tensor(given.name, "BYTES", shape, [_from_text(text, given.name) for text in texts])
    kind = find_datatype(given.name, given.datatype)
    try:
        numbers = np.array(given.data) if _holds_numbers(given.data) else np.empty(0)
    except (ValueError, TypeError, OverflowError):
        numbers = np.empty(0)
    if numbers.size != count or not _fits(numbers, kind):
        raise Refusal(
            Kind.INVALID, f"{given.name}: the data are not {given.datatype} {list(shape)}."
        )
    return Tensor(given.name, given.datatype, shape, numbers.astype(kind).reshape(shape))


def _holds_numbers(data: Any) -> bool:
    """Tell whether there is nothing but numbers: numpy would give texts the room of the longest."""
    return all(isinstance(each, bool | int | float) for each in _flatten(data))


def _fits(numbers: np.ndarray, kind: "np.dtype[Any]") -> bool:
    """Tell whether all numbers can be spelt in ``kind``."""
    if kind.kind not in "iu":
        return numbers.dtype.kind in "biuf"
    if numbers.dtype.kind not in "biu" or not numbers.size:
        return numbers.dtype.kind in "biu"
    info = np.iinfo(kind)
    return bool(info.min <= numbers.min() and numbers.max() <= info.max)


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [each for part in data for each in _flatten(part)]


def _from_text(text: str, name: str) -> bytes:
    """A picture in JSON is base64 (RFC 8259 allows no raw bytes in a text)."""
    from residua.serve.http.bodies import decode_base64

    return decode_base64(text, name)


def write_answer(answer: Answer, wanted: tuple[Wanted, ...]) -> tuple[bytes, int | None]:
    """Return the body of an answer, and the length of its JSON where tensors follow it."""
    binary = {each.name for each in wanted if each.binary}
    outputs, tail = [], []
    for tensor in answer.outputs:
        record: dict[str, Any] = {
            "name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape),
        }  # fmt: skip
        if tensor.name in binary:
            tail.append(to_raw(tensor))
            record["parameters"] = {"binary_data_size": len(tail[-1])}
        elif isinstance(tensor.data, list):
            record["data"] = [each.decode() for each in tensor.data]
        else:
            record["data"] = tensor.data.ravel().tolist()
        outputs.append(record)
    said = {
        "model_name": answer.model, "model_version": answer.version, "id": answer.id,
        "outputs": outputs,
    }  # fmt: skip
    head = json.dumps(said, ensure_ascii=False).encode()
    return b"".join([head, *tail]), (len(head) if tail else None)
