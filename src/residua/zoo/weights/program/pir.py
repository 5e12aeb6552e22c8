"""The program format of Paddle 3: ``inference.json``, the text of a PIR program.

Source: Paddle's ``fluid/pir/serialize_deserialize`` (``schema.h`` has the keys; ``0.`` stands for
the builtin dialect, ``1.`` for ``pd_op``) and ``phi/ops/yaml/ops.yaml`` (the order of inputs).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from residua.zoo.weights.program.record import Operation, Program, ProgramError, kind_of

# The roles of the inputs, which stand in order here; all others are X, Y, ….
_ROLES = {
    "conv2d": ("Input", "Filter"),
    "batch_norm": ("X", "Mean", "Variance", "Scale", "Bias"),
    "pool2d": ("X", "ksize"),
    "reshape": ("X", "shape"),
    "scale": ("X", "scale"),
    "concat": ("X", "axis"),
    "split": ("X", "num", "axis"),
    "mean": ("X",),
}
_OTHERS = ("X", "Y", "Z")
_CONSTANTS = {"full", "full_int_array"}
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def read_program_json(data: bytes) -> Program:
    """Return the program; raises ProgramError where the text is none."""
    try:
        content = json.loads(data)
        if content["base_code"]["magic"] != "pir":
            raise ProgramError("it is no program of Paddle 3")
        regions = content["program"]["regions"]
        blocks = [block for region in regions for block in region["blocks"]]
        if len(blocks) != 1:
            raise ProgramError("it has branches or loops")
        return _Reader().read(blocks[0]["ops"])
    except _DAMAGE as error:
        raise ProgramError(f"its text is no program ({type(error).__name__}: {error})") from error


class _Reader:
    """Values are numbered in the text; parameters get their names, vectors are taken apart."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.parameters: dict[str, tuple[int, ...]] = {}
        self.constants: dict[str, list[Any]] = {}
        self.vectors: dict[str, tuple[str, ...]] = {}
        self.operations: list[Operation] = []
        self.makers: dict[str, int] = {}  # the place of the operation that makes a value
        self.input_shape: tuple[int, ...] = ()

    def read(self, ops: list[dict[str, Any]]) -> Program:
        """Return the program of one block."""
        for op in ops:
            if op.get("regions"):
                raise ProgramError(f"its {op['#']} has branches or loops")
            match op["#"]:
                case "p":
                    self._read_parameter(op)
                case "0.combine":
                    inputs = tuple(self._inputs(op))
                    self.vectors |= dict.fromkeys(self._outputs(op), inputs)
                case "0.split":
                    self._take_apart(op)
                case _:
                    self._read_operation(op)
        return Program(".json", self.parameters, tuple(self.operations), self.input_shape)

    def _read_parameter(self, op: dict[str, Any]) -> None:
        """``A`` holds is_distributed, is_parameter, need_clip and the name."""
        name, output = op["A"][3], op["O"]
        if type(name) is not str or name in self.parameters:
            raise ProgramError(f"a parameter of it has no name of its own ({str(name)[:80]})")
        self.parameters[self._make(output["%"], name)] = _shape(output)

    def _read_operation(self, op: dict[str, Any]) -> None:
        source = str(op["#"])
        kind = kind_of(source.partition(".")[2])
        attributes = {line["N"]: _plain(line["AT"]) for line in op.get("A", [])}
        given = self._inputs(op)
        outputs = self._outputs(op)
        if kind in _CONSTANTS and outputs:
            value = attributes.get("value")
            self.constants[outputs[0]] = value if isinstance(value, list) else [value]
        if kind == "feed" and op["O"]:
            self.input_shape = _shape(op["O"][0])
        inputs: dict[str, tuple[str, ...]] = {}
        for role, name in zip(_ROLES.get(kind, _OTHERS), given, strict=False):
            if name in self.constants:
                attributes[role] = self.constants[name]
            else:
                inputs[role] = self.vectors.get(name, (name,))
        self.makers |= dict.fromkeys(outputs, len(self.operations))
        self.operations.append(Operation(kind, source, inputs, outputs, attributes))

    def _take_apart(self, op: dict[str, Any]) -> None:
        """``0.split`` gives the parts of a vector names of their own: they are its maker's."""
        (vector,) = self._inputs(op)
        parts = self._outputs(op)
        if vector in self.makers:
            index = self.makers[vector]
            self.operations[index] = replace(self.operations[index], outputs=parts)

    def _inputs(self, op: dict[str, Any]) -> list[str]:
        """Names of the inputs; a value must have been made before it is used."""
        numbers = [line["%"] for line in op.get("I", []) if line["%"] != 0]
        if unmade := [number for number in numbers if number not in self.names]:
            raise ProgramError(f"nothing makes its value {unmade[0]!r:.40}")
        return [self.names[number] for number in numbers]

    def _outputs(self, op: dict[str, Any]) -> tuple[str, ...]:
        """New names for the outputs; 0 stands for one that is left out."""
        return tuple(self._make(line["%"]) for line in op.get("O", []) if line["%"] != 0)

    def _make(self, number: int, name: str = "") -> str:
        if number in self.names:
            raise ProgramError(f"two operations make its value {number}")
        return self.names.setdefault(number, name or f"value {number}")


def _shape(output: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape in a value's type: ``D`` holds item type, sides, layout and more."""
    sides = output["TT"]["D"][1]
    if not all(type(side) is int for side in sides):
        raise ProgramError("a shape in it has sides that are no numbers")
    return tuple(sides)


def _plain(attribute: Mapping[str, Any]) -> Any:
    """Return an attribute's content; arrays are lists of attributes."""
    content = attribute.get("D")
    if str(attribute["#"]).endswith("a_array"):
        return [_plain(item) for item in content or []]
    return content
