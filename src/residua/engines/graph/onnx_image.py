"""ONNX graphs that take whole pictures: ``crop`` in ONNX's words, before a graph that takes crops.

The operations are of the plainest, so that any engine that reads the file can run them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from residua.bundle.schema import Preprocess
from residua.engines.graph.arithmetic import Kind, Operation
from residua.engines.graph.crop import cut
from residua.engines.graph.onnx import IR_VERSION, OPSET

_KINDS = {"whole": TensorProto.INT64, "real": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


def build_crop_model(preprocess: Preprocess) -> onnx.ModelProto:
    """Return the graph ``image`` uint8 [batch, height, width, C] → ``crop`` uint8 [batch, S, S, C].

    Raises SettingError where a graph cannot do what ``preprocess`` says.
    """
    arithmetic = OnnxArithmetic()
    crop = cut(arithmetic, "image", preprocess)
    arithmetic.nodes.append(helper.make_node("Identity", [crop], ["crop"], "prepare_crop"))
    channels, side = preprocess.channels, preprocess.crop_size
    graph = helper.make_graph(
        arithmetic.nodes,
        "prepare",
        [_describe("image", ["batch", "height", "width", channels])],
        [_describe("crop", ["batch", side, side, channels])],
        arithmetic.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        graph, producer_name="residua", opset_imports=[opset], ir_version=IR_VERSION
    )


def take_images(model: onnx.ModelProto, preprocess: Preprocess) -> onnx.ModelProto:
    """Return ``model``, which takes crops as ``image``, behind the graph that cuts them out.

    Raises SettingError where a graph cannot do what ``preprocess`` says.
    """
    before = build_crop_model(preprocess).graph
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "image":
                node.input[place] = "crop"
    nodes = [*before.node, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(before.initializer)
    model.graph.input[0].CopyFrom(before.input[0])
    return model


def _describe(name: str, shape: list[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


class OnnxArithmetic:
    """Collects nodes and constants; a value is the name of a tensor."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, array: np.ndarray) -> str:
        """Add an initialiser: int64 or float32."""
        name = f"prepare_constant_{len(self.constants)}"
        kept = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def apply(self, operation: Operation, *inputs: str) -> str:
        """A node of that type; int64 divides towards zero, which is down for what is not < 0."""
        return self._emit(operation, *inputs)

    def convert(self, x: str, kind: Kind) -> str:
        """Cast."""
        return self._emit("Cast", x, to=_KINDS[kind])

    def count(self, end: str) -> str:
        """Range, which wants scalars."""
        scalar = self._emit("Squeeze", end)
        start, step = self.constant(np.array(0)), self.constant(np.array(1))
        return self._emit("Range", start, scalar, step)

    def measure(self, x: str, axis: int) -> str:
        """A part of Shape."""
        return self._emit("Shape", x, start=axis, end=axis + 1)

    def slice(self, x: str, start: str, end: str, axis: int) -> str:
        """Slice."""
        return self._emit("Slice", x, start, end, self.constant(np.array([axis])))

    def gather(self, x: str, places: str, axis: int) -> str:
        """Gather."""
        return self._emit("Gather", x, places, axis=axis)

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        """Unsqueeze."""
        return self._emit("Unsqueeze", x, self.constant(np.array(axes)))

    def transpose(self, x: str, order: Sequence[int]) -> str:
        """Transpose."""
        return self._emit("Transpose", x, perm=list(order))

    def sum(self, x: str, axis: int, *, keep: bool) -> str:
        """ReduceSum."""
        return self._emit("ReduceSum", x, self.constant(np.array([axis])), keepdims=int(keep))

    def _emit(self, operation: str, *inputs: str, **attributes: Any) -> str:
        name = f"prepare_{operation}_{self._count}"
        self._count += 1
        self.nodes.append(helper.make_node(operation, list(inputs), [name], name, **attributes))
        return name
