"""The emitter of ONNX graphs: input ``image`` uint8 [batch, S, S, C], output ``probabilities``.

Operations and attributes are of the plainest that say it, since many engines read the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from residua.base.errors import EngineError
from residua.bundle.schema import Manifest, Preprocess
from residua.engines.graph.walk import emit

OPSET = 18  # the first with an antialiased Resize
IR_VERSION = 8  # of the time of that opset: older runtimes refuse newer files


def build_model(
    manifest: Manifest, tensors: Mapping[str, np.ndarray], *, half: bool = False
) -> onnx.ModelProto:
    """Return the deployed graph: ``image`` uint8 [batch, S, S, C] → ``probabilities`` float32.

    ``half`` computes in float16 between the input and the logits. Raises KeyError or ValueError
    where the tensors are not those of the row, EngineError where one file cannot hold them.
    """
    size = sum(array.size for array in tensors.values()) * (2 if half else 4)
    if size > _MOST:
        raise EngineError(
            f"The weights have {size / 1e9:.1f} GB; a file of ONNX holds 2.1 GB at the most.",
            next_step="Take OpenVINO, or ONNX in fp16." if not half else "Take OpenVINO.",
        )
    emitter = OnnxEmitter(manifest.preprocess, half=half)
    emit(manifest, tensors, emitter)
    return emitter.finish(manifest)


_MOST = 2**31 - 2**22  # bytes of a protocol buffer, less what the graph takes


class OnnxEmitter:
    """Collects nodes and initialisers; a value is the name of a tensor."""

    def __init__(self, preprocess: Preprocess, *, half: bool = False) -> None:
        """The input is a crop of ``preprocess``; ``half`` computes in float16."""
        self.preprocess = preprocess
        self.dtype = np.dtype(np.float16 if half else np.float32)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.source = "image"
        self._sides: dict[str, int] = {}  # pixels of a value's height and width

    def emit(self, operation: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        stem = f"{operation}_{len(self.nodes)}"
        names = [stem] if outputs == 1 else [f"{stem}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operation, list(inputs), names, stem, **attributes))
        return names

    def hold(self, array: np.ndarray, *, exact: bool = False) -> str:
        """Add a constant and return its name; ``exact`` keeps its type."""
        name = f"constant_{len(self.constants)}"
        kept = array if exact else array.astype(self.dtype)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> str:
        """Convert, scale and shift in [N, H, W, C], then turn to [N, C, H, W]."""
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        [x] = self.emit("Cast", self.source, to=kind)
        [x] = self.emit("Mul", x, self.hold(scale))
        [x] = self.emit("Add", x, self.hold(shift))
        [x] = self.emit("Transpose", x, perm=[0, 3, 1, 2])
        return self._sized(x, self.preprocess.crop_size)

    def convolve(
        self, x: str, weight: np.ndarray, bias: np.ndarray, *, stride: int, groups: int, relu: bool
    ) -> str:
        """A (grouped) convolution with its bias, and where asked for the rectifier."""
        kernel = weight.shape[-1]
        [y] = self.emit(
            "Conv", x, self.hold(weight), self.hold(bias), kernel_shape=[kernel] * 2,
            strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups,
        )  # fmt: skip
        return self._rectified(y, self._strided(x, stride), relu=relu)

    def add(self, x: str, y: str, *, relu: bool) -> str:
        """The sum, rectified where asked for."""
        return self._rectified(self.emit("Add", x, y)[0], self._sides[x], relu=relu)

    def max_pool(self, x: str) -> str:
        """3x3 of stride 2."""
        [y] = self.emit("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        return self._sized(y, self._strided(x, 2))

    def average_pool(self, x: str, *, kernel: int, padding: int) -> str:
        """Means of the real pixels; ``ceil_mode`` only on odd sides, where it says something."""
        attributes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [2, 2]}
        if padding:
            attributes |= {"pads": [padding] * 4}
        elif self._sides[x] % 2:
            attributes |= {"ceil_mode": 1}
        [y] = self.emit("AveragePool", x, **attributes)
        return self._sized(y, self._strided(x, 2))

    def pool_globally(self, x: str) -> str:
        """The means over height and width, flattened."""
        return self.emit("Flatten", self.emit("GlobalAveragePool", x)[0], axis=1)[0]

    def split(self, x: str, parts: int) -> Sequence[str]:
        """Equal parts of axis 1."""
        outputs = self.emit("Split", x, outputs=parts, axis=1, num_outputs=parts)
        return [self._sized(name, self._sides[x]) for name in outputs]

    def concatenate(self, parts: Sequence[str]) -> str:
        """Joined along axis 1."""
        return self._sized(self.emit("Concat", *parts, axis=1)[0], self._sides[parts[0]])

    def subsample(self, x: str, *, stride: int, before: int, behind: int) -> str:
        """A strided slice, then zeros on axis 1."""

        def whole(*numbers: int) -> str:
            return self.hold(np.array(numbers, np.int64), exact=True)

        last = np.iinfo(np.int64).max
        side = self._strided(x, stride)
        [x] = self.emit("Slice", x, whole(0, 0), whole(last, last), whole(2, 3),
                        whole(stride, stride))  # fmt: skip
        [x] = self.emit("Pad", x, whole(0, before, 0, 0, 0, behind, 0, 0))
        return self._sized(x, side)

    def connect(self, x: str, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> str:
        """A matrix product with the bias."""
        [y] = self.emit("Gemm", x, self.hold(weight), self.hold(bias), transB=1)
        return self.emit("Relu", y)[0] if relu else y

    def gate(self, x: str, logits: str) -> str:
        """Each channel times its sigmoid."""
        axes = self.hold(np.array([2, 3], np.int64), exact=True)
        [gates] = self.emit("Unsqueeze", self.emit("Sigmoid", logits)[0], axes)
        return self._sized(self.emit("Mul", x, gates)[0], self._sides[x])

    def answer(self, logits: str, *, temperature: float, exclusive: bool) -> None:
        """Name the probabilities; they are float32 whatever was computed in."""
        if self.dtype != np.float32:
            [logits] = self.emit("Cast", logits, to=TensorProto.FLOAT)
        if temperature != 1:
            inverse = self.hold(np.array(1 / temperature, np.float32), exact=True)
            [logits] = self.emit("Mul", logits, inverse)
        operation = "Softmax" if exclusive else "Sigmoid"
        axis: dict[str, Any] = {"axis": 1} if exclusive else {}
        self.nodes.append(
            helper.make_node(operation, [logits], ["probabilities"], "probabilities", **axis)
        )

    def finish(self, manifest: Manifest) -> onnx.ModelProto:
        """Return the model of everything that was emitted."""
        side = self.preprocess.crop_size
        shape: list[str | int | None] = ["batch", side, side, self.preprocess.channels]
        answers: list[str | int | None] = ["batch", len(manifest.classes)]
        graph = helper.make_graph(
            self.nodes,
            manifest.architecture.name,
            [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, answers)],
            self.constants,
        )
        return helper.make_model(
            graph,
            producer_name="residua",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )

    def _rectified(self, x: str, side: int, *, relu: bool) -> str:
        return self._sized(self.emit("Relu", x)[0] if relu else x, side)

    def _strided(self, x: str, stride: int) -> int:
        """Return the side after a layer of ``stride``: every one of the series rounds up."""
        return -(-self._sides[x] // stride)

    def _sized(self, name: str, side: int) -> str:
        self._sides[name] = side
        return name
