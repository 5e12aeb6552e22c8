"""Single values as PaddleClas reads them: Python literals, where it can, and else text.

Its ``-o key=value`` evaluates the value as Python, and a text in a file as a literal. Neither runs
anything here: literals and the four arithmetic operations (``1.0/255.0``) are all there is.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv
}  # fmt: skip
# What YAML calls these; to PaddleClas they are texts, which count as true.
_WORDS = {"true": True, "false": False, "null": None, "none": None, "yes": True, "no": False}


def read_literal(text: str) -> Any:
    """Return the Python value that ``text`` spells; ``text`` itself where it spells none."""
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, TypeError, ZeroDivisionError, RecursionError, MemoryError):
        return text


def read_word(text: str) -> tuple[Any, bool]:
    """Return the value of "true", "null" and the like, and whether ``text`` is one of these."""
    word = text.strip().lower()
    return _WORDS.get(word, text), word in _WORDS


def _evaluate(node: ast.expr) -> Any:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            numbers = _evaluate(left), _evaluate(right)
            if not all(isinstance(number, int | float) for number in numbers):
                raise ValueError(node)
            return _OPERATIONS[type(op)](*numbers)
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Tuple(elts=items):
            return [_evaluate(item) for item in items]
        case _:
            return ast.literal_eval(node)
