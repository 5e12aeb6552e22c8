"""Pickles read as data: a machine that builds dictionaries and arrays, and calls nothing.

A ``.pdparams`` file is a pickle, which is a program: Python's unpickler imports what the file
names and calls it. Here the file's instructions are interpreted instead. A name such as numpy's
``_reconstruct`` is compared with a short list and stands for "an array follows"; it is never looked
up, imported or called, and any name or instruction outside the list is refused. An array is made
only where its bytes are in the file in the number that shape and type ask for, so that a small
file cannot ask for much memory.
"""

import mmap
import pickletools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.weights.files.pickled import (
    MAKERS,
    NDARRAY,
    AnnouncedArray,
    DamagedPickleError,
    Dtype,
    Name,
    UnsafePickleError,
    array_of_state,
    checked_key,
    set_order,
)

# A ResNet200 has 1027 tensors of some 30 instructions each; the limit bounds the small objects
# that a hostile file can make (Python needs up to 230 bytes for an instruction of one byte).
_MOST_INSTRUCTIONS = 200_000


def unpickle(path: Path) -> Any:
    """Return the data in the pickle at ``path``: dicts, lists, tuples, scalars, numpy arrays.

    Raises UnsafeFileError for a pickle that wants anything else, before anything of it has run,
    and WeightsError for one that is damaged.
    """
    machine = _Machine()
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            # mmap has the three methods that genops calls, and reads no further than its end.
            return machine.run(pickletools.genops(content))  # type: ignore[arg-type]
    except UnsafePickleError as error:
        raise UnsafeFileError(
            f"{path} is a pickle that holds more than arrays: it {error}. Nothing of it was run.",
            next_step="If you trust where it comes from, load it with the program that wrote it, "
            "and save its tensors alone, best as .safetensors.",
        ) from None
    except (
        DamagedPickleError,
        ValueError,
        LookupError,
        TypeError,
        MemoryError,
        OverflowError,
    ) as error:
        raise WeightsError(
            f"{path} is a damaged pickle ({error or type(error).__name__}).",
            next_step="Get the file again: it is truncated, altered or no weight file.",
        ) from error


class _Machine:
    """The stack, the marks and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, instructions: Iterable[tuple[Any, Any, int | None]]) -> Any:
        """Interpret the instructions up to STOP and return what is on top of the stack."""
        for count, (opcode, argument, _) in enumerate(instructions):
            if count >= _MOST_INSTRUCTIONS:
                raise UnsafePickleError(f"has more than {_MOST_INSTRUCTIONS} instructions")
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name not in _ACTIONS:
                raise UnsafePickleError(f"uses the instruction {opcode.name}")
            _ACTIONS[opcode.name](self, argument)
        raise DamagedPickleError("it has no end")

    def items_since_mark(self) -> list[Any]:
        """Take everything above the latest mark off the stack."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def push_mark(self, _: Any) -> None:
        """Remember the height of the stack."""
        self.marks.append(len(self.stack))

    def topmost(self, count: int) -> list[Any]:
        """Take the topmost ``count`` values off the stack."""
        start = len(self.stack) - count
        if start < 0:
            raise DamagedPickleError("its stack is too short")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def remember(self, key: int | None) -> None:
        """Copy the top of the stack into the memo, by default under the next free number."""
        key = len(self.memo) if key is None else key
        top = self.stack[-1]
        self.memo[key] = top
        if isinstance(top, AnnouncedArray):
            top.memo_keys.append(key)

    def recall(self, key: int) -> None:
        """Put what the memo holds on the stack."""
        self.push(self.memo[key])

    def set_items(self, pairs: list[Any]) -> None:
        """Fill the dictionary on top of the stack with key, value, key, value and so on."""
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise DamagedPickleError("it fills something that is no dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[checked_key(key)] = value

    def extend_list(self, items: list[Any]) -> None:
        """Extend the list on top of the stack."""
        target = self.stack[-1]
        if type(target) is not list:
            raise DamagedPickleError("it extends something that is no list")
        target.extend(items)

    def push_name(self, module: Any, name: Any) -> None:
        """Put a name on the stack if it is one of those that announce an array."""
        if (module, name) not in MAKERS and (module, name) != NDARRAY:
            raise UnsafePickleError(f"names {module[:80]}.{name[:80]}")
        self.push(Name(module, name))

    def push_stack_name(self, _: Any) -> None:
        """Put the name on the stack whose two halves are its topmost strings."""
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise DamagedPickleError("a name in it is no text")
        self.push_name(module, name)

    def reduce(self, _: Any) -> None:
        """Where a pickle would call a function: make the piece of data that the name stands for."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Name or function not in MAKERS or type(arguments) is not tuple:
            raise UnsafePickleError("calls something that makes no array")
        self.push(MAKERS[function](*arguments))

    def build(self, _: Any) -> None:
        """Give the announced array its content, or the type its byte order."""
        state, target = self.stack.pop(), self.stack.pop()
        if type(state) is not tuple:
            raise UnsafePickleError("changes the state of an object")
        if type(target) is Dtype:
            set_order(target, state)
            self.push(target)
        elif type(target) is AnnouncedArray:
            array = array_of_state(state)
            for key in target.memo_keys:
                self.memo[key] = array
            self.push(array)
        else:
            raise UnsafePickleError("changes the state of an object")


_Action = Callable[[_Machine, Any], None]
_ACTIONS: dict[str, _Action] = {
    "PROTO": lambda _machine, _argument: None,
    "FRAME": lambda _machine, _argument: None,
    "READONLY_BUFFER": lambda _machine, _argument: None,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": _Machine.push_mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.items_since_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.topmost(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.topmost(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.topmost(3))),
    "APPEND": lambda machine, _: machine.extend_list([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend_list(machine.items_since_mark()),
    "SETITEM": lambda machine, _: machine.set_items(
        [machine.stack.pop(), machine.stack.pop()][::-1]
    ),
    "SETITEMS": lambda machine, _: machine.set_items(machine.items_since_mark()),
    "GLOBAL": lambda machine, argument: machine.push_name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _Machine.push_stack_name,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    "MEMOIZE": lambda machine, _: machine.remember(None),
}
_ACTIONS |= dict.fromkeys(("BINPUT", "LONG_BINPUT", "PUT"), _Machine.remember)
_ACTIONS |= dict.fromkeys(("BINGET", "LONG_BINGET", "GET"), _Machine.recall)
_ACTIONS |= dict.fromkeys(
    ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE",
     "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
     "BINSTRING", "SHORT_BINSTRING"),
    _Machine.push,
)  # fmt: skip
