"""A program followed backwards, from a value to the operation that makes it.

Operations that give back what they get are looked through, and before a matrix product those that
only change a shape: between [N, C, 1, 1] and [N, C] the fixed sizes of the matrix leave no freedom.
"""

from typing import Any

from residua.zoo.weights.program.record import Operation, Program, ProgramError

# What inference libraries and quantisers put into a program, told by a part of its name.
_QUANTISED = ("quantize", "quant_")
_FUSED = ("fused", "fusion", "engine", "xpu", "onednn", "mkldnn")
_QUANTISE_HERE = (
    "Give the float archive that it was made from; quantise its bundle here: residua export "
    "--precision int8."
)
_FLOATS = {"float16", "bfloat16", "float32", "float64", 4, 5, 6, 22}  # the latter: VarType.Type
_LAYOUT = {"conv2d": "data_format", "pool2d": "data_format", "batch_norm": "data_layout"}
_UNFUSED = "Give the archive as PaddleClas's export wrote it, before it was optimised."


class Graph:
    """The operations of a program by the values that they make."""

    def __init__(self, program: Program) -> None:
        """Index the program; raises ProgramError for quantised and fused ones."""
        self.program = program
        self.makers: dict[str, Operation] = {}
        for operation in program.operations:
            _refuse_rewritten(operation)
            for output in operation.outputs:
                self.makers[output] = operation
        layouts = {_layout(op) for op in program.operations if op.kind in _LAYOUT}
        if len(layouts) > 1:
            raise ProgramError(f"it computes in the layouts {' and '.join(sorted(layouts))}")
        self.channels_last = layouts == {"NHWC"}

    def behind(self, value: str, *, reshapes: bool = False) -> str:
        """Return the value that ``value`` is a copy of, with ``reshapes`` also in another shape."""
        for _ in self.program.operations:
            operation = self.makers.get(value)
            if operation is None:
                break
            if not (_copies(operation) or (reshapes and operation.kind == "reshape")):
                break
            value = operation.value("X")
        return value

    def maker(self, value: str, *kinds: str) -> Operation:
        """Return the operation that makes ``value``, or what it is a copy of.

        Raises ProgramError where it is of none of ``kinds``, if such are given.
        """
        operation = self.makers.get(self.behind(value))
        if operation is None:
            raise ProgramError(f"nothing makes its value {value}")
        if kinds and operation.kind not in kinds:
            raise ProgramError(
                f"its value {value} comes from {operation.source}, where the series has "
                f"{' or '.join(kinds)}"
            )
        return operation

    def kind(self, value: str) -> str:
        """Return the kind of operation that makes ``value``, "" for a parameter."""
        operation = self.makers.get(self.behind(value))
        return operation.kind if operation else ""

    def parameter(self, operation: Operation, role: str) -> str:
        """Return the parameter that is the operation's input of that role."""
        value = self.behind(operation.value(role))
        if value not in self.program.parameters:
            raise ProgramError(f"the {role} of its {operation.source} is no stored parameter")
        return value

    def is_parameter(self, value: str) -> bool:
        """Tell whether ``value`` is a stored parameter."""
        return self.behind(value) in self.program.parameters


def require(operation: Operation, **wanted: Any) -> None:
    """Raise ProgramError where an attribute has another value; one that is missing is the default.

    ``wanted`` gives the accepted values of each attribute, the default first.
    """
    for name, accepted in wanted.items():
        given = operation.attributes.get(name)
        if given is not None and given not in accepted:
            raise ProgramError(f"its {operation.source} has {name} = {given}")


def integers(operation: Operation, name: str, default: list[int]) -> list[int]:
    """Return an attribute that is a list of integers, or the default where it is missing."""
    given = operation.attributes.get(name)
    if given is None:
        return default
    if not isinstance(given, list) or not all(type(number) is int for number in given):
        raise ProgramError(f"its {operation.source} has {name} of another type")
    return given


def number(operation: Operation, name: str, default: float) -> float:
    """Return an attribute that is a number, or the default where it is missing."""
    given = operation.attributes.get(name)
    if given is None:
        return default
    if type(given) not in {int, float}:
        raise ProgramError(f"its {operation.source} has {name} of another type")
    return float(given)


def _layout(operation: Operation) -> str:
    given = operation.attributes
    name = given.get(_LAYOUT[operation.kind]) or given.get("data_format") or "NCHW"
    return "NCHW" if name == "AnyLayout" else str(name)


def _copies(operation: Operation) -> bool:
    """Tell whether an operation gives back its input X in inference."""
    given = operation.attributes
    match operation.kind:
        case "scale":
            fixed = not operation.inputs.get("ScaleTensor") and given.get("bias", 0.0) == 0.0
            return bool(fixed and given.get("scale") in (1.0, [1.0]))
        case "dropout":
            modes = (given.get("dropout_implementation"), given.get("mode"))
            return "upscale_in_train" in modes
        case "cast":
            wanted = given.get("out_dtype", given.get("dtype"))
            return isinstance(wanted, str | int) and wanted in _FLOATS
    return operation.kind in {"assign", "share_data"}


def _refuse_rewritten(operation: Operation) -> None:
    name = operation.source.rpartition(".")[2]
    if any(part in name for part in _QUANTISED):
        raise ProgramError(f"it is quantised ({name})", next_step=_QUANTISE_HERE)
    if operation.kind == "fc" or any(part in name for part in _FUSED):
        raise ProgramError(
            f"its layers are fused by an inference library ({name})", next_step=_UNFUSED
        )
