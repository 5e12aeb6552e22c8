"""What Paddle's two formats of an exported program have in common: parameters and operations.

``desc.py`` reads ``inference.pdmodel``, ``pir.py`` the ``inference.json`` of Paddle 3. Nothing of
a program is run; ``network.py`` follows what it would compute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from residua.zoo.weights.program.protobuf import RecordError


class ProgramError(RecordError):
    """A program that residua does not follow; the message names the operation.

    ``next_step`` is advice for the user where there is better one than for any such program.
    """

    def __init__(self, problem: str, *, next_step: str = "") -> None:
        """Keep the advice apart from the sentence."""
        super().__init__(problem)
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: ``kind`` as both formats are made to call it here, ``source`` as the file.

    ``inputs`` are values by the roles that ``framework.proto``'s operators give them (Input,
    Filter, X, Y, …), ``outputs`` values in order. Attributes are plain numbers, texts and lists.
    """

    kind: str
    source: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def value(self, role: str) -> str:
        """Return the one value of that role."""
        values = self.inputs.get(role, ())
        if len(values) != 1:
            raise ProgramError(f"its {self.source} has {len(values)} inputs as {role}")
        return values[0]


@dataclass(frozen=True, slots=True)
class Program:
    """An exported program in the ``format`` ".pdmodel" or ".json".

    ``parameters`` gives the declared shape of each, by name in the order of the program;
    ``operations`` lie in the order in which they run; ``input_shape`` has -1 where it is open.
    """

    format: str
    parameters: dict[str, tuple[int, ...]]
    operations: tuple[Operation, ...]
    input_shape: tuple[int, ...]

    @property
    def saved_order(self) -> list[str]:
        """The parameters in the order of ``.pdiparams``, by name: Paddle sorts them to save."""
        return sorted(self.parameters)


# What the formats call one thing, by the name it has here. A trailing underscore in the files
# means "in place"; it is taken off before.
_KINDS = {
    "depthwise_conv2d": "conv2d",
    "sync_batch_norm": "batch_norm",
    "elementwise_add": "add",
    "elementwise_mul": "multiply",
    "matmul_v2": "matmul",
    "mul": "matmul",
    "split_with_num": "split",
    "transpose2": "transpose",
    "data": "feed",
} | dict.fromkeys(
    ("reshape2", "flatten", "flatten2", "flatten_contiguous_range", "squeeze", "squeeze2",
     "unsqueeze", "unsqueeze2"),
    "reshape",
)  # fmt: skip


def kind_of(source: str) -> str:
    """Return the name of an operation here, given its name in a file."""
    bare = source.removesuffix("_")
    return _KINDS.get(bare, bare)
