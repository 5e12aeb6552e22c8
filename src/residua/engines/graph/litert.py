"""The emitter of LiteRT (TensorFlow Lite) graphs: input ``image`` uint8 [N, S, S, C].

It writes the file's own records: the converter from PyTorch (litert-torch) brings jax and pins that
do not go with ours. Images are [N, H, W, C] throughout, as the format wants them; N is 1 until the
input is resized.

The format knows no symmetric padding: "SAME" pads behind first. It is the same on odd sides of
stride 2; on even ones a layer of zeros comes before. Zeros change no maximum, for what is pooled
comes out of a rectifier, and averages are set right by what is known of their counts.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from residua.bundle.schema import Manifest, Preprocess
from residua.engines.graph.tflite import Graph, Tensor
from residua.engines.graph.walk import emit

_GROUPED = 6  # the version of CONV_2D that has groups (lite/tools/versioning/op_version.cc)


def build_model(
    manifest: Manifest,
    tensors: Mapping[str, np.ndarray],
    *,
    half: bool = False,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """Return the deployed graph as the bytes of a .tflite file.

    ``half`` keeps the weights in float16; computed is in float32. ``texts`` go in as metadata.
    Raises KeyError or ValueError where the tensors are not those of the row.
    """
    emitter = LiteRtEmitter(manifest.preprocess, half=half)
    emit(manifest, tensors, emitter)
    [probabilities] = emitter.outputs
    name = manifest.architecture.name
    return emitter.graph.pack(name, emitter.image, probabilities, texts or {})


class LiteRtEmitter:
    """Adds operators to ``graph``; a value is a ``Tensor`` of shape (H, W, C) or (C,)."""

    def __init__(self, preprocess: Preprocess, *, half: bool = False) -> None:
        """The input is a crop of ``preprocess``; ``half`` keeps the weights in float16."""
        self.half = half
        self.graph = Graph()
        side = preprocess.crop_size
        self.image = self.graph.value("image", (side, side, preprocess.channels), np.uint8)
        self.outputs: list[Tensor] = []

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> Tensor:
        """Convert, scale and shift."""
        options = schema.CastOptionsT(schema.TensorType.UINT8, schema.TensorType.FLOAT32)
        x = self.graph.emit("CAST", [self.image], self.image.shape, options)
        x = self._multiply(x, self._hold(scale))
        return self.add(x, self._hold(shift), relu=False)

    def convolve(
        self,
        x: Tensor,
        weight: np.ndarray,
        bias: np.ndarray,
        *,
        stride: int,
        groups: int,
        relu: bool,
    ) -> Tensor:
        """A (grouped) convolution: the runtime sees the groups by the channels of the filter."""
        outputs, _, kernel, _ = weight.shape
        x, padding, side = self._padded(x, kernel, stride)
        options = schema.Conv2DOptionsT(padding, stride, stride, _activation(relu=relu))
        filters = self._hold_weight(weight.transpose(0, 2, 3, 1))  # [O, k, k, I/groups]
        version = _GROUPED if groups > 1 else 1
        inputs = [x, filters, self._hold(bias)]
        shape = (side, side, outputs)
        return self.graph.emit("CONV_2D", inputs, shape, options, version=version)

    def add(self, x: Tensor, y: Tensor, *, relu: bool) -> Tensor:
        """The sum, rectified where asked for."""
        options = schema.AddOptionsT(_activation(relu=relu))
        return self.graph.emit("ADD", [x, y], x.shape, options)

    def max_pool(self, x: Tensor) -> Tensor:
        """3x3 of stride 2."""
        x, padding, side = self._padded(x, 3, 2)
        options = schema.Pool2DOptionsT(padding, 2, 2, 3, 3)
        return self.graph.emit("MAX_POOL_2D", [x], (side, side, x.shape[2]), options)

    def average_pool(self, x: Tensor, *, kernel: int, padding: int) -> Tensor:
        """Means of the real pixels: the format leaves out what "SAME" pads.

        Where the zeros come by a layer they count. On even sides they are in the first row and
        column of the means only, which are multiplied by ``kernel / (kernel - 1)``.
        """
        if padding:
            x, kind, side = self._padded(x, kernel, 2)
        else:
            kind, side = schema.Padding.SAME, -(-x.shape[0] // 2)
        options = schema.Pool2DOptionsT(kind, 2, 2, kernel, kernel)
        y = self.graph.emit("AVERAGE_POOL_2D", [x], (side, side, x.shape[2]), options)
        if kind == schema.Padding.SAME:
            return y
        factors = np.ones(side, np.float32)
        factors[0] = kernel / (kernel - 1)
        table = np.outer(factors, factors)[None, :, :, None]  # [1, side, side, 1]
        return self._multiply(y, self._hold(table))

    def pool_globally(self, x: Tensor) -> Tensor:
        """The means over height and width."""
        axes = self.graph.hold(np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT(keepDims=False)
        return self.graph.emit("MEAN", [x, axes], x.shape[2:], options)

    def split(self, x: Tensor, parts: int) -> Sequence[Tensor]:
        """Equal parts of the last axis."""
        shape = (*x.shape[:2], x.shape[2] // parts)
        axis = self.graph.hold(np.array(3, np.int32))
        outputs = [self.graph.value(f"split_{x.index}_{part}", shape) for part in range(parts)]
        self.graph.operate("SPLIT", [axis, x], outputs, schema.SplitOptionsT(parts))
        return outputs

    def concatenate(self, parts: Sequence[Tensor]) -> Tensor:
        """Joined along the last axis."""
        shape = (*parts[0].shape[:2], sum(part.shape[2] for part in parts))
        return self.graph.emit("CONCATENATION", parts, shape, schema.ConcatenationOptionsT(axis=3))

    def subsample(self, x: Tensor, *, stride: int, before: int, behind: int) -> Tensor:
        """A strided slice, then zeros on the last axis."""
        side, channels = -(-x.shape[0] // stride), x.shape[2]
        none = self.graph.hold(np.zeros(4, np.int32))
        steps = self.graph.hold(np.array([1, stride, stride, 1], np.int32))
        whole = schema.StridedSliceOptionsT(beginMask=0b1111, endMask=0b1111)
        inputs = [x, none, none, steps]
        x = self.graph.emit("STRIDED_SLICE", inputs, (side, side, channels), whole)
        return self._pad(x, (0, 0), (before, behind))

    def connect(self, x: Tensor, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> Tensor:
        """A fully connected layer."""
        options = schema.FullyConnectedOptionsT(_activation(relu=relu))
        inputs = [x, self._hold_weight(weight), self._hold(bias)]
        return self.graph.emit("FULLY_CONNECTED", inputs, (len(weight),), options)

    def gate(self, x: Tensor, logits: Tensor) -> Tensor:
        """Each channel times its sigmoid."""
        gates = self.graph.emit("LOGISTIC", [logits], logits.shape)
        wanted = [-1, 1, 1, x.shape[2]]
        inputs = [gates, self.graph.hold(np.array(wanted, np.int32))]
        shape = (1, 1, x.shape[2])
        gates = self.graph.emit("RESHAPE", inputs, shape, schema.ReshapeOptionsT(wanted))
        return self._multiply(x, gates)

    def answer(self, logits: Tensor, *, temperature: float, exclusive: bool) -> None:
        """Keep the probabilities as the graph's output."""
        if temperature != 1:
            logits = self._multiply(logits, self._hold(np.array([1 / temperature])))
        probabilities = self.graph.value("probabilities", logits.shape)
        operation = "SOFTMAX" if exclusive else "LOGISTIC"
        options = schema.SoftmaxOptionsT(1.0) if exclusive else None
        self.graph.operate(operation, [logits], [probabilities], options)
        self.outputs.append(probabilities)

    def _padded(self, x: Tensor, kernel: int, stride: int) -> tuple[Tensor, int, int]:
        """Return ``x`` as a window needs it that is padded by kernel // 2, how, and the side then.

        "SAME" is that padding where its total is as large, and so even; else zeros come by a layer.
        """
        side, pad = x.shape[0], kernel // 2
        after = (side + 2 * pad - kernel) // stride + 1
        if max(0, (after - 1) * stride + kernel - side) == 2 * pad:
            return x, schema.Padding.SAME, after
        if not pad:
            return x, schema.Padding.VALID, after
        return self._pad(x, (pad, pad), (0, 0)), schema.Padding.VALID, after

    def _pad(self, x: Tensor, sides: tuple[int, int], channels: tuple[int, int]) -> Tensor:
        """Zeros before and behind height and width, and channels."""
        table = self.graph.hold(np.array([(0, 0), sides, sides, channels], np.int32))
        side, depth = x.shape[0] + sum(sides), x.shape[2] + sum(channels)
        return self.graph.emit("PAD", [x, table], (side, side, depth), schema.PadOptionsT())

    def _multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return self.graph.emit("MUL", [x, y], x.shape, schema.MulOptionsT())

    def _hold(self, array: np.ndarray) -> Tensor:
        return self.graph.hold(array.astype(np.float32))

    def _hold_weight(self, array: np.ndarray) -> Tensor:
        return self.graph.hold_half(array) if self.half else self._hold(array)


def _activation(*, relu: bool) -> int:
    kind = schema.ActivationFunctionType
    code: int = kind.RELU if relu else kind.NONE
    return code
