"""Formulas over the tensors of a graph, in the words of any runtime: what ``crop`` computes with.

A ``Term`` is a tensor of whole numbers, of float32 ones (``real``) or of truth values. Whole
numbers may have no more than 32 bits in a runtime; nothing here needs more than float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol

import numpy as np

from residua.engines.graph.emitter import Value

Operation = Literal[
    "Add", "Sub", "Mul", "Div", "Min", "Max", "Abs", "Floor", "Round", "Less", "Equal", "Where",
    "MatMul",
]  # fmt: skip
Kind = Literal["whole", "real", "uint8"]


class Arithmetic(Protocol[Value]):
    """What a runtime's graph must be able to say; every call adds to it."""

    def constant(self, array: np.ndarray) -> Value:
        """An array of integers or floats as a constant of whole or real numbers."""
        ...

    def apply(self, operation: Operation, *inputs: Value) -> Value:
        """ONNX's operation of that name, with broadcasting; "Div" of whole numbers rounds down."""
        ...

    def convert(self, x: Value, kind: Kind) -> Value:
        """``x`` in another type; what becomes uint8 is whole and within 0…255."""
        ...

    def count(self, end: Value) -> Value:
        """Whole numbers [end]: 0, 1, … up to below ``end`` [1]."""
        ...

    def measure(self, x: Value, axis: int) -> Value:
        """How long an axis is, whole [1]."""
        ...

    def slice(self, x: Value, start: Value, end: Value, axis: int) -> Value:
        """What lies from ``start`` [1] up to below ``end`` [1] along an axis."""
        ...

    def gather(self, x: Value, places: Value, axis: int) -> Value:
        """What lies at ``places`` (of any shape, which takes the axis's place) along an axis."""
        ...

    def unsqueeze(self, x: Value, axes: Sequence[int]) -> Value:
        """New axes of length 1; those counted from the end are negative."""
        ...

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        """The axes in another order."""
        ...

    def sum(self, x: Value, axis: int, *, keep: bool) -> Value:
        """Sums along an axis, which stays as one of length 1 where ``keep``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Term(Generic[Value]):
    """A tensor with the operators of arithmetic; a plain number beside it is a constant."""

    graph: Arithmetic[Value]
    value: Value
    real: bool

    def __add__(self, other: "Term[Value] | float") -> "Term[Value]":
        """The sum."""
        return self._apply("Add", other)

    def __sub__(self, other: "Term[Value] | float") -> "Term[Value]":
        """The difference."""
        return self._apply("Sub", other)

    def __rsub__(self, other: float) -> "Term[Value]":
        """A number less the tensor."""
        return self._lift(other, real=self.real) - self

    def __mul__(self, other: "Term[Value] | float") -> "Term[Value]":
        """The product."""
        return self._apply("Mul", other)

    def __truediv__(self, other: "Term[Value] | float") -> "Term[Value]":
        """The quotient of real numbers."""
        assert self.real  # noqa: S101  # ours
        return self._apply("Div", other)

    def __floordiv__(self, other: "Term[Value] | float") -> "Term[Value]":
        """The quotient of whole numbers, rounded down; neither may be negative."""
        assert not self.real  # noqa: S101  # ours
        return self._apply("Div", other)

    def __mod__(self, other: "Term[Value] | float") -> "Term[Value]":
        """What ``//`` leaves."""
        return self - (self // other) * other

    def __lt__(self, other: "Term[Value] | float") -> "Term[Value]":
        """Whether it is less: truth values."""
        return Term(self.graph, self._apply("Less", other).value, real=False)

    def equals(self, other: "Term[Value] | float") -> "Term[Value]":
        """Whether it is the same: truth values."""
        return Term(self.graph, self._apply("Equal", other).value, real=False)

    def __rmul__(self, other: float) -> "Term[Value]":
        """A number times the tensor."""
        return self * other

    def __matmul__(self, other: "Term[Value]") -> "Term[Value]":
        """The matrix product."""
        return self._apply("MatMul", other)

    def __abs__(self) -> "Term[Value]":
        """The magnitude."""
        return self._apply("Abs")

    def at_least(self, other: "Term[Value] | float") -> "Term[Value]":
        """The larger of both."""
        return self._apply("Max", other)

    def at_most(self, other: "Term[Value] | float") -> "Term[Value]":
        """The smaller of both."""
        return self._apply("Min", other)

    def floor(self) -> "Term[Value]":
        """Rounded down."""
        return self._apply("Floor")

    def round(self) -> "Term[Value]":
        """Rounded, halves to even."""
        return self._apply("Round")

    def where(self, then: "Term[Value] | float", other: "Term[Value] | float") -> "Term[Value]":
        """``then`` where this truth value is true, else ``other``; of two numbers both are real."""
        like = next((each for each in (then, other) if isinstance(each, Term)), None)
        real = like.real if like else True
        inputs = [self._lift(each, real=real).value for each in (then, other)]
        return Term(self.graph, self.graph.apply("Where", self.value, *inputs), real)

    def count(self) -> "Term[Value]":
        """Whole numbers [n] from 0 up to below this one [1]."""
        return Term(self.graph, self.graph.count(self.value), real=False)

    def as_real(self) -> "Term[Value]":
        """Whole numbers as float32."""
        return Term(self.graph, self.graph.convert(self.value, "real"), real=True)

    def as_whole(self) -> "Term[Value]":
        """Real numbers, which must be whole, as integers."""
        return Term(self.graph, self.graph.convert(self.value, "whole"), real=False)

    def slice(self, start: "Term[Value]", end: "Term[Value]", axis: int) -> "Term[Value]":
        """What lies from ``start`` up to below ``end`` along an axis."""
        value = self.graph.slice(self.value, start.value, end.value, axis)
        return Term(self.graph, value, self.real)

    def gather(self, places: "Term[Value]", axis: int) -> "Term[Value]":
        """What lies at ``places`` along an axis."""
        return Term(self.graph, self.graph.gather(self.value, places.value, axis), self.real)

    def unsqueeze(self, *axes: int) -> "Term[Value]":
        """New axes of length 1."""
        return Term(self.graph, self.graph.unsqueeze(self.value, axes), self.real)

    def transpose(self, *order: int) -> "Term[Value]":
        """The axes in another order."""
        return Term(self.graph, self.graph.transpose(self.value, order), self.real)

    def sum(self, axis: int, *, keep: bool = False) -> "Term[Value]":
        """Sums along an axis."""
        return Term(self.graph, self.graph.sum(self.value, axis, keep=keep), self.real)

    def like(self, array: np.ndarray) -> "Term[Value]":
        """A constant in the same graph."""
        real = array.dtype.kind == "f"
        return Term(self.graph, self.graph.constant(array), real=real)

    def _lift(self, other: "Term[Value] | float", *, real: bool) -> "Term[Value]":
        if isinstance(other, Term):
            return other
        return self.like(np.array(other, np.float32 if real else np.int64))

    def _apply(self, operation: Operation, *others: "Term[Value] | float") -> "Term[Value]":
        inputs = [self._lift(other, real=self.real).value for other in others]
        return Term(self.graph, self.graph.apply(operation, self.value, *inputs), self.real)
