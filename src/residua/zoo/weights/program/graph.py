"""A program followed backwards, from a value to the operation that makes it.

Two kinds of operation are looked through: those that give back what they get, and those that only
change a shape between [N, C, 1, 1] and [N, C], which the fixed sizes of a matrix leave no freedom.
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


def _copies(operation: Operation) -> bool:
    """Tell whether an operation gives back its input X in inference."""
    if operation.kind == "scale":
        factor = operation.attributes.get("scale", 1.0)
        factor = factor[0] if isinstance(factor, list) and factor else factor
        return bool(factor == 1.0 and operation.attributes.get("bias", 0.0) == 0.0)
    if operation.kind == "dropout":
        mode = operation.attributes.get("dropout_implementation", "")
        return mode == "upscale_in_train" or operation.attributes.get("mode") == "upscale_in_train"
    return operation.kind in {"assign", "cast", "share_data"}


def _refuse_rewritten(operation: Operation) -> None:
    name = operation.source.rpartition(".")[2]
    if any(part in name for part in _QUANTISED):
        raise ProgramError(f"it is quantised ({name})", next_step=_QUANTISE_HERE)
    if operation.kind == "fc" or any(part in name for part in _FUSED):
        raise ProgramError(
            f"its layers are fused by an inference library ({name})", next_step=_UNFUSED
        )
