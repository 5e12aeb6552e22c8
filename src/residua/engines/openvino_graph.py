"""The network of a row as an OpenVINO graph, from its tensors, without torch.

It says the same as ``zoo/`` (resnet, block, shortcut, attention) and ``pixels/graph.py`` in
OpenVINO's words, which spares a prediction the seconds that importing and tracing with torch take;
``tests/engines`` holds the two against each other for every kind of row. Batch
normalisations are folded into their convolutions, in float64.
"""

from collections.abc import Mapping

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from residua.bundle.schema import Architecture, Manifest

_EPSILON = 1e-5  # of every batch normalisation of the series


def build_model(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> ov.Model:
    """Return the deployed graph: ``image`` uint8 [N, H, W, C] → ``probabilities`` [N, classes].

    Raises KeyError, ValueError or RuntimeError where the tensors are not those of the row.
    """
    row, preprocess = manifest.architecture, manifest.preprocess
    side = preprocess.crop_size
    image = ops.parameter([-1, side, side, preprocess.channels], ov.Type.u8, name="image")
    scale = 1 / (255 * np.array(preprocess.std))
    shift = -np.array(preprocess.mean) / np.array(preprocess.std)
    x = ops.convert(image, ov.Type.f32)
    x = ops.add(ops.multiply(x, scale.astype(np.float32)), shift.astype(np.float32))
    x = ops.transpose(x, np.array([0, 3, 1, 2]))  # [N, C, H, W]
    network = _Network(row, tensors)
    logits = network.build(x)
    if surplus := tensors.keys() - network.used:
        raise KeyError(min(surplus))
    if logits.get_output_partial_shape(0)[1].get_length() != len(manifest.classes):
        raise ValueError(f"the classifier has not {len(manifest.classes)} outputs")
    logits = ops.divide(logits, np.float32(manifest.calibration.temperature))
    if manifest.task == "single-label":
        probabilities = ops.softmax(logits, 1)
    else:
        probabilities = ops.sigmoid(logits)
    probabilities.output(0).set_names({"probabilities"})
    image.output(0).set_names({"image"})
    return ov.Model([probabilities], [image], row.name)


class _Network:
    """Adds the layers of one row to a graph; every method takes and gives [N, C, H, W] nodes."""

    def __init__(self, row: Architecture, tensors: Mapping[str, np.ndarray]) -> None:
        self.row = row
        self.tensors = tensors
        self.used: set[str] = set()

    def take(self, name: str) -> np.ndarray:
        """Return a tensor and note that it was used."""
        self.used.add(name)
        return self.tensors[name]

    def build(self, x: ov.Node) -> ov.Node:
        """Stem, stages, pooling, classifier: [N, C, H, W] → logits [N, classes]."""
        row = self.row
        for index in range(len(row.stem_widths)):
            stride = 2 if index == 0 and row.stem != "3x3" else 1
            x = ops.relu(self.convolve(x, f"stem.{index}", stride=stride))
        if row.stem != "3x3":
            x = ops.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
        for stage, depth in enumerate(row.depths):
            for index in range(depth):
                stride = 2 if index == 0 and stage > 0 else 1
                x = self.add_block(x, f"stages.{stage}.{index}", stride)
        pooled = ops.reduce_mean(x, np.array([2, 3]))  # [N, features]
        return self.connect(pooled, "head")

    def add_block(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        """One residual block with its shortcut and attention."""
        match self.row.block:
            case "basic":
                y = ops.relu(self.convolve(x, f"{name}.conv0", stride=stride))
                y = self.convolve(y, f"{name}.conv1")
            case "bottleneck":
                y = ops.relu(self.convolve(x, f"{name}.conv0"))
                groups = self.row.groups
                y = ops.relu(self.convolve(y, f"{name}.conv1", stride=stride, groups=groups))
                y = self.convolve(y, f"{name}.conv2")
            case "res2net":
                y = self.add_split(x, name, stride)
        if self.row.se_reduction:
            y = self.add_attention(y, f"{name}.attention")
        return ops.relu(ops.add(y, self.add_shortcut(x, name, stride)))

    def add_split(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        """The hierarchy of Res2Net (see ``zoo.block.SplitBottleneck``)."""
        scale = self.row.scale
        y = ops.relu(self.convolve(x, f"{name}.conv0"))
        parts = ops.split(y, np.int64(1), scale).outputs()
        results: list[ov.Node] = []
        for index, part in enumerate(parts[:-1]):
            joined = part if stride == 2 or not results else ops.add(part, results[-1])
            conv = self.convolve(joined, f"{name}.split.{index}", stride=stride)
            results.append(ops.relu(conv))
        last = parts[-1]
        if stride == 2:
            last = ops.avg_pool(last, [2, 2], [1, 1], [1, 1], [3, 3], exclude_pad=True)
        return self.convolve(ops.concat([*results, last], 1), f"{name}.conv2")

    def add_attention(self, x: ov.Node, name: str) -> ov.Node:
        """Squeeze-and-excitation (see ``zoo.attention``)."""
        squeezed = ops.relu(self.connect(ops.reduce_mean(x, np.array([2, 3])), f"{name}.squeeze"))
        gate = ops.sigmoid(self.connect(squeezed, f"{name}.excite"))
        return ops.multiply(x, ops.unsqueeze(gate, np.array([2, 3])))

    def add_shortcut(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        """Projection, average or padding, as the tensors and the row say (``zoo.shortcut``)."""
        if f"{name}.shortcut.conv.weight" in self.tensors:
            if self.row.shortcut == "average" and stride > 1:
                x = ops.avg_pool(
                    x, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=True, rounding_type="ceil"
                )
                stride = 1
            return self.convolve(x, f"{name}.shortcut", stride=stride)
        if stride == 1:
            return x
        outputs = self.tensors[f"{name}.conv0.conv.weight"].shape[0]
        extra = outputs - self.tensors[f"{name}.conv0.conv.weight"].shape[1]
        x = ops.strided_slice(
            x, np.zeros(4, np.int64), np.zeros(4, np.int64), np.array([1, 1, stride, stride]),
            begin_mask=[1, 1, 1, 1], end_mask=[1, 1, 1, 1],
        )  # fmt: skip
        before = np.array([0, extra // 2, 0, 0])
        behind = np.array([0, extra - extra // 2, 0, 0])
        return ops.pad(x, before, behind, "constant", np.float32(0))

    def convolve(self, x: ov.Node, name: str, *, stride: int = 1, groups: int = 1) -> ov.Node:
        """A convolution with its batch normalisation folded in."""
        weight = self.take(f"{name}.conv.weight").astype(np.float64)  # [O, I/groups, k, k]
        variance = self.take(f"{name}.norm.running_var").astype(np.float64)
        scale = self.take(f"{name}.norm.weight") / np.sqrt(variance + _EPSILON)
        shift = self.take(f"{name}.norm.bias") - self.take(f"{name}.norm.running_mean") * scale
        if groups > 1:
            scale = scale.reshape(groups, -1)
            weight = weight.reshape(groups, -1, *weight.shape[1:])  # [G, O/G, I/G, k, k]
        folded = ops.constant((weight * scale[..., None, None, None]).astype(np.float32))
        pads = [weight.shape[-1] // 2] * 2
        strides = [stride, stride]
        if groups == 1:
            y = ops.convolution(x, folded, strides, pads, pads, [1, 1])
        else:
            y = ops.group_convolution(x, folded, strides, pads, pads, [1, 1])
        return ops.add(y, ops.constant(shift.astype(np.float32).reshape(1, -1, 1, 1)))

    def connect(self, x: ov.Node, name: str) -> ov.Node:
        """A linear layer: [N, inputs] → [N, outputs]."""
        weight, bias = self.take(f"{name}.weight"), self.take(f"{name}.bias")
        # Constants are made here: an array handed to an operation is copied number by number.
        matrix = ops.constant(weight.astype(np.float32))
        y = ops.matmul(x, matrix, transpose_a=False, transpose_b=True)
        return ops.add(y, ops.constant(bias.astype(np.float32)[None]))
