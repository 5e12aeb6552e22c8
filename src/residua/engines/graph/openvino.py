"""The emitter of OpenVINO graphs: input ``image`` uint8 [N, S, S, C], output ``probabilities``."""

from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from residua.bundle.schema import Manifest, Preprocess
from residua.engines.graph.walk import emit


def build_model(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> ov.Model:
    """Return the deployed graph: ``image`` uint8 [N, S, S, C] → ``probabilities`` [N, classes].

    Raises KeyError, ValueError or RuntimeError where the tensors are not those of the row.
    """
    emitter = OpenVinoEmitter(manifest.preprocess)
    emit(manifest, tensors, emitter)
    return ov.Model([emitter.probabilities], [emitter.image], manifest.architecture.name)


def build_features(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> ov.Model:
    """Return a graph as ``build_model``, of what the last stage gives out: [N, channels, h, w]."""
    emitter = OpenVinoEmitter(manifest.preprocess)
    emit(manifest, tensors, emitter)
    return ov.Model([emitter.pooled], [emitter.image], f"{manifest.architecture.name} features")


class OpenVinoEmitter:
    """Builds nodes. Arrays are wrapped in ``constant``: operations copy them number by number."""

    def __init__(self, preprocess: Preprocess) -> None:
        """The input is a crop of ``preprocess``."""
        side = preprocess.crop_size
        self.image = ops.parameter([-1, side, side, preprocess.channels], ov.Type.u8, name="image")
        self.image.output(0).set_names({"image"})
        self.probabilities: ov.Node | None = None
        self.pooled: ov.Node | None = None  # what was pooled last: the last stage's output

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> ov.Node:
        """Convert, scale and shift in [N, H, W, C], then turn to [N, C, H, W]."""
        x = ops.convert(self.image, ov.Type.f32)
        x = ops.add(ops.multiply(x, scale), shift)
        return ops.transpose(x, np.array([0, 3, 1, 2]))

    def convolve(
        self,
        x: ov.Node,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int,
        groups: int,
        relu: bool,
    ) -> ov.Node:
        """A (grouped) convolution, its bias, and where asked for the rectifier."""
        pads, strides = [weight.shape[-1] // 2] * 2, [stride, stride]
        if groups == 1:
            y = ops.convolution(x, ops.constant(weight), strides, pads, pads, [1, 1])
        else:
            grouped = weight.reshape(groups, -1, *weight.shape[1:])  # [G, O/G, I/G, k, k]
            y = ops.group_convolution(x, ops.constant(grouped), strides, pads, pads, [1, 1])
        y = ops.add(y, ops.constant(bias.reshape(1, -1, 1, 1)))
        return ops.relu(y) if relu else y

    def add(self, x: ov.Node, y: ov.Node, *, relu: bool) -> ov.Node:
        """The sum, rectified where asked for."""
        total = ops.add(x, y)
        return ops.relu(total) if relu else total

    def max_pool(self, x: ov.Node) -> ov.Node:
        """3x3 of stride 2; OpenVINO gives the positions as well, which nobody wants."""
        return ops.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)

    def average_pool(self, x: ov.Node, *, kernel: int, padding: int) -> ov.Node:
        """Means of the real pixels."""
        pads = [padding, padding]
        return ops.avg_pool(
            x, [2, 2], pads, pads, [kernel, kernel], exclude_pad=True,
            rounding_type="floor" if padding else "ceil",
        )  # fmt: skip

    def pool_globally(self, x: ov.Node) -> ov.Node:
        """The means over height and width."""
        self.pooled = x
        return ops.reduce_mean(x, np.array([2, 3]))

    def split(self, x: ov.Node, parts: int) -> Sequence[ov.Node]:
        """Equal parts of axis 1."""
        outputs: Sequence[ov.Node] = ops.split(x, np.int64(1), parts).outputs()
        return outputs

    def concatenate(self, parts: Sequence[ov.Node]) -> ov.Node:
        """Joined along axis 1."""
        return ops.concat(list(parts), 1)

    def subsample(self, x: ov.Node, *, stride: int, before: int, behind: int) -> ov.Node:
        """A strided slice, then zeros on axis 1."""
        none = np.zeros(4, np.int64)
        x = ops.strided_slice(
            x, none, none, np.array([1, 1, stride, stride]),
            begin_mask=[1, 1, 1, 1], end_mask=[1, 1, 1, 1],
        )  # fmt: skip
        pads = np.array([0, before, 0, 0]), np.array([0, behind, 0, 0])
        return ops.pad(x, *pads, "constant", np.float32(0))

    def connect(self, x: ov.Node, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> ov.Node:
        """A matrix product with the bias."""
        matrix = ops.constant(weight.astype(np.float32))
        y = ops.matmul(x, matrix, transpose_a=False, transpose_b=True)
        y = ops.add(y, ops.constant(bias.astype(np.float32)[None]))
        return ops.relu(y) if relu else y

    def gate(self, x: ov.Node, logits: ov.Node) -> ov.Node:
        """Each channel times its sigmoid."""
        return ops.multiply(x, ops.unsqueeze(ops.sigmoid(logits), np.array([2, 3])))

    def answer(self, logits: ov.Node, *, temperature: float, exclusive: bool) -> None:
        """Keep the probabilities as the graph's output."""
        scaled = ops.divide(logits, np.float32(temperature))
        answer = ops.softmax(scaled, 1) if exclusive else ops.sigmoid(scaled)
        answer.output(0).set_names({"probabilities"})
        self.probabilities = answer
