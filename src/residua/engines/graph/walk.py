"""The walk over a row's layers: it tells an emitter the network that the tensors belong to.

It says the same as ``zoo/`` (resnet, block, shortcut, attention) and ``pixels/graph.py``, but in
terms that every runtime has, and needs no torch: importing and tracing with that takes seconds, and
an exporter's graph changes with its version. ``tests/engines`` holds every emitter against the
float64 network for every kind of row. Batch normalisations are folded into their convolutions, in
float64.
"""

from collections.abc import Mapping
from typing import Generic

import numpy as np

from residua.bundle.schema import Manifest
from residua.engines.graph.emitter import Emitter, Value

_EPSILON = 1e-5  # of every batch normalisation of the series


def emit(manifest: Manifest, tensors: Mapping[str, np.ndarray], emitter: Emitter[Value]) -> None:
    """Tell ``emitter`` the deployed network: crops of the manifest's size → probabilities.

    Raises KeyError or ValueError where the tensors are not those of the row.
    """
    preprocess = manifest.preprocess
    scale = 1 / (255 * np.array(preprocess.std))
    shift = -np.array(preprocess.mean) / np.array(preprocess.std)
    walk = _Walk(manifest, tensors, emitter)
    logits = walk.network(emitter.normalize(scale.astype(np.float32), shift.astype(np.float32)))
    if surplus := tensors.keys() - walk.used:
        raise KeyError(min(surplus))
    emitter.answer(
        logits,
        temperature=manifest.calibration.temperature,
        exclusive=manifest.task == "single-label",
    )


class _Walk(Generic[Value]):
    """Goes through the layers of one row; every method takes and gives the emitter's values."""

    def __init__(
        self, manifest: Manifest, tensors: Mapping[str, np.ndarray], emitter: Emitter[Value]
    ) -> None:
        self.row = manifest.architecture
        self.classes = len(manifest.classes)
        self.tensors = tensors
        self.emitter = emitter
        self.used: set[str] = set()

    def take(self, name: str) -> np.ndarray:
        """Return a tensor and note that it was used."""
        self.used.add(name)
        return self.tensors[name]

    def network(self, x: Value) -> Value:
        """Stem, stages, pooling, classifier."""
        row = self.row
        small = row.stem == "3x3"
        for index in range(len(row.stem_widths)):
            stride = 2 if index == 0 and not small else 1
            x = self.convolve(x, f"stem.{index}", stride=stride)
        if not small:
            x = self.emitter.max_pool(x)
        for stage, depth in enumerate(row.depths):
            for index in range(depth):
                stride = 2 if index == 0 and stage > 0 else 1
                x = self.block(x, f"stages.{stage}.{index}", stride)
        weight = self.take("head.weight")
        if len(weight) != self.classes:
            raise ValueError(f"the classifier has not {self.classes} outputs")
        pooled = self.emitter.pool_globally(x)
        return self.emitter.connect(pooled, weight, self.take("head.bias"), relu=False)

    def block(self, x: Value, name: str, stride: int) -> Value:
        """One residual block with its shortcut and attention."""
        match self.row.block:
            case "basic":
                y = self.convolve(x, f"{name}.conv0", stride=stride)
                y = self.convolve(y, f"{name}.conv1", relu=False)
            case "bottleneck":
                y = self.convolve(x, f"{name}.conv0")
                y = self.convolve(y, f"{name}.conv1", stride=stride, groups=self.row.groups)
                y = self.convolve(y, f"{name}.conv2", relu=False)
            case "res2net":
                y = self.branches(x, name, stride)
        if self.row.se_reduction:
            y = self.attention(y, f"{name}.attention")
        return self.emitter.add(y, self.shortcut(x, name, stride), relu=True)

    def branches(self, x: Value, name: str, stride: int) -> Value:
        """The hierarchy of Res2Net (see ``zoo.block.SplitBottleneck``)."""
        *parts, last = self.emitter.split(self.convolve(x, f"{name}.conv0"), self.row.scale)
        results: list[Value] = []
        for index, part in enumerate(parts):
            joined = part
            if stride == 1 and results:
                joined = self.emitter.add(part, results[-1], relu=False)
            results.append(self.convolve(joined, f"{name}.split.{index}", stride=stride))
        if stride == 2:
            last = self.emitter.average_pool(last, kernel=3, padding=1)
        return self.convolve(
            self.emitter.concatenate([*results, last]), f"{name}.conv2", relu=False
        )

    def attention(self, x: Value, name: str) -> Value:
        """Squeeze-and-excitation (see ``zoo.attention``)."""
        squeezed = self.connect(self.emitter.pool_globally(x), f"{name}.squeeze", relu=True)
        return self.emitter.gate(x, self.connect(squeezed, f"{name}.excite"))

    def shortcut(self, x: Value, name: str, stride: int) -> Value:
        """Projection, average or padding, as the tensors and the row say (``zoo.shortcut``)."""
        if f"{name}.shortcut.conv.weight" in self.tensors:
            if self.row.shortcut == "average" and stride > 1:
                x = self.emitter.average_pool(x, kernel=2, padding=0)
                stride = 1
            return self.convolve(x, f"{name}.shortcut", stride=stride, relu=False)
        inputs = self.tensors[f"{name}.conv0.conv.weight"].shape[1]
        last = "conv1" if self.row.block == "basic" else "conv2"
        outputs = len(self.tensors[f"{name}.{last}.conv.weight"])
        if self.row.shortcut != "padding" or (stride == 1 and outputs == inputs):
            return x
        before = (outputs - inputs) // 2
        behind = outputs - inputs - before
        return self.emitter.subsample(x, stride=stride, before=before, behind=behind)

    def convolve(
        self, x: Value, name: str, *, stride: int = 1, groups: int = 1, relu: bool = True
    ) -> Value:
        """A convolution with its batch normalisation folded in."""
        weight = self.take(f"{name}.conv.weight").astype(np.float64)  # [O, I/groups, k, k]
        variance = self.take(f"{name}.norm.running_var").astype(np.float64)
        scale = self.take(f"{name}.norm.weight") / np.sqrt(variance + _EPSILON)
        bias = self.take(f"{name}.norm.bias") - self.take(f"{name}.norm.running_mean") * scale
        return self.emitter.convolve(
            x,
            (weight * scale[:, None, None, None]).astype(np.float32),
            bias.astype(np.float32),
            stride=stride,
            groups=groups,
            relu=relu,
        )

    def connect(self, x: Value, name: str, *, relu: bool = False) -> Value:
        """A fully connected layer, [N, I] → [N, O]."""
        weight, bias = self.take(f"{name}.weight"), self.take(f"{name}.bias")
        return self.emitter.connect(x, weight, bias, relu=relu)
