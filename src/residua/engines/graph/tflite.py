"""A .tflite file in the making: tensors, operators and buffers, and the flatbuffer of all of it.

The records are those of TensorFlow Lite's schema, as the ai-edge-litert wheel brings them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.uint8): schema.TensorType.UINT8,
}
_ALIGNMENT = 16  # bytes, of every buffer (``force_align`` of the schema)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph: its number there and its shape, without N where it is computed."""

    index: int
    shape: tuple[int, ...]


class Graph:
    """Collects the parts of a file with one graph."""

    def __init__(self) -> None:
        """An empty graph; the first buffer stays empty by convention."""
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._codes: dict[tuple[int, int], int] = {}

    def value(self, name: str, shape: tuple[int, ...], kind: Any = np.float32) -> Tensor:
        """Add a tensor that is computed or given, [N, *shape] for any N."""
        return self._add(name, (1, *shape), kind, shape=shape, signature=[-1, *shape])

    def hold(self, array: np.ndarray) -> Tensor:
        """Add a constant of its own type."""
        buffer = self._store(np.ascontiguousarray(array).tobytes())
        name = f"constant_{len(self._tensors)}"
        return self._add(name, array.shape, array.dtype, buffer=buffer)

    def hold_half(self, array: np.ndarray) -> Tensor:
        """Add a constant that is kept in float16 and made float32 when the file is opened."""
        half = self.hold(array.astype(np.float16))
        whole = self._add(f"weight_{len(self._tensors)}", array.shape, np.float32)
        self.operate("DEQUANTIZE", [half], [whole], schema.DequantizeOptionsT(), version=3)
        return whole

    def emit(
        self,
        operation: str,
        inputs: Sequence[Tensor],
        shape: tuple[int, ...],
        options: Any = None,
        *,
        version: int = 1,
    ) -> Tensor:
        """Add an operator of one output of ``shape`` and return that."""
        output = self.value(f"{operation.lower()}_{len(self._operators)}", shape)
        self.operate(operation, inputs, [output], options, version=version)
        return output

    def operate(
        self,
        operation: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        options: Any = None,
        *,
        version: int = 1,
    ) -> None:
        """Add an operator; ``options`` is a record of the schema, whose name tells its kind."""
        code = getattr(schema.BuiltinOperator, operation), version
        kind = type(options).__name__.removesuffix("T") if options is not None else "NONE"
        self._operators.append(
            schema.OperatorT(
                self._codes.setdefault(code, len(self._codes)),
                [tensor.index for tensor in inputs],
                [tensor.index for tensor in outputs],
                getattr(schema.BuiltinOptions, kind),
                options,
            )
        )

    def pack(
        self, name: str, image: Tensor, probabilities: Tensor, texts: Mapping[str, str]
    ) -> bytes:
        """Return the file; ``texts`` are its metadata."""
        ends = [image.index], [probabilities.index]
        signature = schema.SignatureDefT(
            [schema.TensorMapT("image", image.index)],
            [schema.TensorMapT("probabilities", probabilities.index)],
            "serving_default",
        )
        metadata = [
            schema.MetadataT(key, self._store(text.encode())) for key, text in texts.items()
        ]
        model = schema.ModelT(
            version=3,
            operatorCodes=[
                schema.OperatorCodeT(min(code, 127), None, version, code)
                for code, version in self._codes
            ],
            subgraphs=[schema.SubGraphT(self._tensors, *ends, self._operators, name)],
            description=f"{name}, residua",
            buffers=self._buffers,
            metadata=metadata,
            signatureDefs=[signature],
        )
        size = sum(len(buffer.data) for buffer in self._buffers if buffer.data is not None)
        builder = flatbuffers.Builder(size + (1 << 20))
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _add(
        self,
        name: str,
        full: Sequence[int],
        kind: Any,
        *,
        buffer: int = 0,
        shape: tuple[int, ...] | None = None,
        signature: list[int] | None = None,
    ) -> Tensor:
        tensor = schema.TensorT(
            list(full),
            _TYPES[np.dtype(kind)],
            buffer,
            name,
            shapeSignature=signature,
            hasRank=True,
        )
        self._tensors.append(tensor)
        return Tensor(len(self._tensors) - 1, tuple(full) if shape is None else shape)

    def _store(self, data: bytes) -> int:
        """Add a buffer and return its number."""
        self._buffers.append(_Buffer(data))
        return len(self._buffers) - 1


class _Buffer(schema.BufferT):  # type: ignore[misc]  # the schema is untyped
    """Bytes that are laid down aligned and in one piece: the schema's class does neither."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802  # the schema's name
        """Write the buffer and return where it is."""
        count = len(self.data)
        builder.StartVector(1, count, _ALIGNMENT)
        builder.head = builder.Head() - count
        builder.Bytes[builder.Head() : builder.Head() + count] = self.data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        place: int = schema.BufferEnd(builder)
        return place
