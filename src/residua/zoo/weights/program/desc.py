"""The program format before Paddle 3: ``inference.pdmodel``, a ProgramDesc as protocol buffer.

Source: Paddle's ``framework/framework.proto`` (the field numbers) and the operators'
``…OpMaker`` (names of inputs and attributes).
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from residua.zoo.weights.program.protobuf import as_bytes, as_integers, as_text, fields, messages
from residua.zoo.weights.program.record import Operation, Program, ProgramError, kind_of

_LOD_TENSOR = 7  # the variable types that are no tensors (feed, fetch, raw) have other numbers


def read_program_desc(data: bytes) -> Program:
    """Return the program; raises RecordError where the bytes are none."""
    blocks = list(messages(data, 1))
    if not blocks:
        raise ProgramError("it holds no program")
    parameters: dict[str, tuple[int, ...]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for block in blocks:
        for variable in messages(block, 3):
            name, persistent, shape = _variable(variable)
            shapes[name] = shape
            if persistent:
                parameters[name] = shape
    if len(blocks) > 1 and any(True for block in blocks[1:] for _ in messages(block, 4)):
        raise ProgramError("it has branches or loops")
    read = [_operation(message) for message in messages(blocks[0], 4)]
    fed = next((op.outputs[0] for op in read if op.kind == "feed" and op.outputs), "")
    operations = tuple(_in_order(read, parameters))
    return Program(".pdmodel", parameters, operations, shapes.get(fed, ()))


def _in_order(operations: list[Operation], parameters: Iterable[str]) -> Iterator[Operation]:
    """Number the values: a name may be used again for another one, and none before it is made."""
    current = {name: name for name in parameters}
    for index, operation in enumerate(operations):
        inputs: dict[str, tuple[str, ...]] = {}
        for role, values in operation.inputs.items():
            if unmade := [name for name in values if name not in current]:
                if operation.kind == "feed":
                    continue
                raise ProgramError(f"nothing makes {unmade[0][:80]}, which {operation.source} uses")
            inputs[role] = tuple(current[name] for name in values)
        current |= {name: f"{name} ({index})" for name in operation.outputs}
        outputs = tuple(current[name] for name in operation.outputs)
        yield replace(operation, inputs=inputs, outputs=outputs)


def _variable(message: bytes) -> tuple[str, bool, tuple[int, ...]]:
    """Return name, whether it is a saved tensor, and the declared shape."""
    found = dict(fields(message))
    name = as_text(found.get(1, b""))
    kind = dict(fields(as_bytes(found.get(2, b""))))
    shape: list[int] = []
    for tensor in messages(as_bytes(kind.get(3, b"")), 1):
        for number, value in fields(tensor):
            if number == 2:
                shape += as_integers(value)
    return name, found.get(3) == 1 and kind.get(1) == _LOD_TENSOR, tuple(shape)


def _operation(message: bytes) -> Operation:
    inputs: dict[str, tuple[str, ...]] = {}
    outputs: dict[str, tuple[str, ...]] = {}
    attributes: dict[str, Any] = {}
    source = ""
    for number, value in fields(message):
        if number in {1, 2}:
            role, values = _role(as_bytes(value))
            (inputs if number == 1 else outputs)[role] = values
        elif number == 3:
            source = as_text(value)
        elif number == 4:
            name, content = _attribute(as_bytes(value))
            attributes[name] = content
    # The result comes first; what else there is (saved statistics, shapes) is of no interest.
    result = next((outputs[role] for role in ("Out", "Output", "Y") if role in outputs), ())
    return Operation(kind_of(source), source, inputs, result, attributes)


def _role(message: bytes) -> tuple[str, tuple[str, ...]]:
    found = [(number, as_text(value)) for number, value in fields(message)]
    role = next((text for number, text in found if number == 1), "")
    return role, tuple(text for number, text in found if number == 2)


def _attribute(message: bytes) -> tuple[str, Any]:
    """Return name and value; None stands for an empty list and for what is no plain value."""
    name, repeated = "", False
    values: list[Any] = []
    for number, value in fields(message):
        if number == 1:
            name = as_text(value)
        elif number in _VALUES:
            values += _VALUES[number](value)
            repeated = repeated or number in _REPEATED
    return name, values if repeated else next(iter(values), None)


def _floats(layout: str) -> Callable[[int | bytes], list[Any]]:
    def read(value: int | bytes) -> list[Any]:
        data = as_bytes(value)
        if len(data) % struct.calcsize(layout):
            raise ProgramError("it ends in the middle of a number")
        return [number for (number,) in struct.iter_unpack(layout, data)]

    return read


def _booleans(value: int | bytes) -> list[Any]:
    return [bool(flag) for flag in as_integers(value)]


def _texts(value: int | bytes) -> list[Any]:
    return [as_text(value)]


# OpDesc.Attr: how the fields that hold a value are read.
_VALUES: dict[int, Callable[[int | bytes], list[Any]]] = {
    3: as_integers, 13: as_integers, 6: as_integers, 15: as_integers,
    4: _floats("<f"), 7: _floats("<f"), 16: _floats("<d"), 19: _floats("<d"),
    5: _texts, 8: _texts, 10: _booleans, 11: _booleans,
}  # fmt: skip
_REPEATED = {6, 7, 8, 11, 15, 16}
