"""OpenVINO graphs that take whole pictures: ``crop`` in OpenVINO's words, before one of crops."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from residua.bundle.schema import Preprocess
from residua.engines.graph.arithmetic import Kind, Operation
from residua.engines.graph.crop import cut

# The processor's plugin computes int64 as int32 in any case.
_KINDS = {"whole": ov.Type.i32, "real": ov.Type.f32, "uint8": ov.Type.u8}


def build_crop_model(preprocess: Preprocess) -> ov.Model:
    """Return the graph ``image`` uint8 [N, H, W, C] → ``crop`` uint8 [N, S, S, C].

    Raises SettingError where a graph cannot do what ``preprocess`` says.
    """
    image = ops.parameter([-1, -1, -1, preprocess.channels], ov.Type.u8, name="image")
    image.output(0).set_names({"image"})
    crop = cut(OpenVinoArithmetic(), image, preprocess)
    side, channels = preprocess.crop_size, preprocess.channels
    # The sizes are what they are anyway; said outright, the network behind has static shapes.
    crop = ops.reshape(crop, np.array([-1, side, side, channels]), special_zero=False)
    crop.output(0).set_names({"crop"})
    return ov.Model([crop], [image], "prepare")


def take_images(model: ov.Model, preprocess: Preprocess) -> ov.Model:
    """Return ``model``, which takes crops, behind the graph that cuts them out.

    Raises SettingError where a graph cannot do what ``preprocess`` says.
    """
    before = build_crop_model(preprocess)
    [crops], [image] = model.get_parameters(), before.get_parameters()
    crops.output(0).replace(before.get_results()[0].input_value(0))
    results = model.get_results()
    return ov.Model(results, [image], model.get_friendly_name())


class OpenVinoArithmetic:
    """Builds nodes."""

    def constant(self, array: np.ndarray) -> ov.Node:
        """A constant of int32 or float32."""
        return ops.constant(array.astype(np.float32 if array.dtype.kind == "f" else np.int32))

    def apply(self, operation: Operation, *inputs: ov.Node) -> ov.Node:
        """The operation of another name."""
        return _OPERATIONS[operation](*inputs)

    def convert(self, x: ov.Node, kind: Kind) -> ov.Node:
        """Convert."""
        return ops.convert(x, _KINDS[kind])

    def count(self, end: ov.Node) -> ov.Node:
        """Range, which wants scalars."""
        scalar = ops.squeeze(end, np.array([0]))
        return ops.range(np.int32(0), scalar, np.int32(1), "i32")

    def measure(self, x: ov.Node, axis: int) -> ov.Node:
        """A part of ShapeOf."""
        shape = ops.shape_of(x, "i32")
        return ops.gather(shape, np.array([axis]), np.array(0))

    def slice(self, x: ov.Node, start: ov.Node, end: ov.Node, axis: int) -> ov.Node:
        """Slice."""
        step, axes = ops.constant(np.array([1], np.int32)), ops.constant(np.array([axis], np.int32))
        return ops.slice(x, start, end, step, axes)

    def gather(self, x: ov.Node, places: ov.Node, axis: int) -> ov.Node:
        """Gather."""
        return ops.gather(x, places, np.array(axis))

    def unsqueeze(self, x: ov.Node, axes: Sequence[int]) -> ov.Node:
        """Unsqueeze."""
        return ops.unsqueeze(x, np.array(axes))

    def transpose(self, x: ov.Node, order: Sequence[int]) -> ov.Node:
        """Transpose."""
        return ops.transpose(x, np.array(order))

    def sum(self, x: ov.Node, axis: int, *, keep: bool) -> ov.Node:
        """ReduceSum."""
        return ops.reduce_sum(x, np.array([axis]), keep_dims=keep)


def _divide(x: ov.Node, y: ov.Node) -> ov.Node:
    """The quotient; that of whole numbers put right, since the plugin takes float32 for it."""
    quotient = ops.divide(x, y)
    if x.get_element_type() != ov.Type.i32:
        return quotient
    one, none = ops.constant(np.int32(1)), ops.constant(np.int32(0))
    rest = ops.subtract(x, ops.multiply(quotient, y))
    more = ops.select(ops.less(rest, y), none, one)
    less = ops.select(ops.less(rest, none), one, none)
    return ops.subtract(ops.add(quotient, more), less)


_OPERATIONS: Mapping[Operation, Callable[..., ov.Node]] = {
    "Add": ops.add,
    "Sub": ops.subtract,
    "Mul": ops.multiply,
    "Div": _divide,
    "Min": ops.minimum,
    "Max": ops.maximum,
    "Abs": ops.abs,
    "Floor": ops.floor,
    "Round": lambda x: ops.round(x, "half_to_even"),
    "Less": ops.less,
    "Equal": ops.equal,
    "Where": ops.select,
    "MatMul": lambda x, y: ops.matmul(x, y, transpose_a=False, transpose_b=False),
}
