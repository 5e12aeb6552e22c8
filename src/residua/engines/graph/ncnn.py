"""The emitter of ncnn networks: a text of layers and a file of weights. Needs no ncnn.

The input ``image`` is what ``ncnn::Mat::from_pixels`` gives: one picture, float32 [C, S, S], values
0…255; ncnn has neither uint8 inputs nor a batch. Layers and their numbered parameters are those of
ncnn's wiki ("operators", "param and model file structure"). pnnx, ncnn's converter, makes the same
layers of our ONNX file but for two things: it keeps the cast from uint8, which ncnn has no layer
for, and drops the strided slice of the CIFAR rows (release 20261020).
"""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from residua.bundle.schema import Manifest, Preprocess
from residua.engines.graph.walk import emit

_MAGIC = 7767517  # the first line of a param file
_HALF = 0x01306B47  # tag of weights in float16; 0 is float32
_ADD, _MULTIPLY = 0, 2  # of BinaryOp
_FULL, _VALID = 0, 1  # padding of Pooling: up to whole windows, or as given


def build_model(
    manifest: Manifest, tensors: Mapping[str, np.ndarray], *, half: bool = False
) -> tuple[str, bytes]:
    """Return the deployed network as the contents of a .param and a .bin file.

    ``half`` keeps the weights of convolutions and of the classifier in float16. Raises KeyError or
    ValueError where the tensors are not those of the row.
    """
    emitter = NcnnEmitter(manifest.preprocess, half=half)
    emit(manifest, tensors, emitter)
    return emitter.finish()


@dataclass(frozen=True, slots=True)
class Blob:
    """What a layer gives out: its name and number of channels."""

    name: str
    channels: int


@dataclass(frozen=True, slots=True)
class _Layer:
    """A line of the param file."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: str


class NcnnEmitter:
    """Collects layers and weights; a value is a ``Blob``."""

    def __init__(self, preprocess: Preprocess, *, half: bool = False) -> None:
        """The input is a crop of ``preprocess``; ``half`` keeps large weights in float16."""
        self.half = half
        self.layers: list[_Layer] = []
        self.weights: list[bytes] = []
        side, channels = preprocess.crop_size, preprocess.channels
        self.image = Blob("image", channels)
        self._lay("Input", (), [self.image], {0: side, 1: side, 2: channels})

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> Blob:
        """Scale and shift each channel."""
        y = self._emit("Scale", [self.image], self.image.channels, {0: len(scale), 1: 1})
        self._keep(scale, shift)
        return y

    def convolve(
        self, x: Blob, weight: np.ndarray, bias: np.ndarray, *, stride: int, groups: int, relu: bool
    ) -> Blob:
        """A (grouped) convolution with its bias and rectifier in one layer."""
        outputs, _, kernel, _ = weight.shape
        parameters = {0: outputs, 1: kernel, 3: stride, 4: kernel // 2, 5: 1, 6: weight.size}
        if groups > 1:
            parameters |= {7: groups}
        if relu:
            parameters |= {9: 1}
        kind = "Convolution" if groups == 1 else "ConvolutionDepthWise"
        y = self._emit(kind, [x], outputs, parameters)
        self._keep_large(weight)
        self._keep(bias)
        return y

    def add(self, x: Blob, y: Blob, *, relu: bool) -> Blob:
        """The sum, rectified where asked for."""
        total = self._emit("BinaryOp", [x, y], x.channels, {0: _ADD})
        return self._emit("ReLU", [total], x.channels) if relu else total

    def max_pool(self, x: Blob) -> Blob:
        """3x3 of stride 2."""
        return self._emit("Pooling", [x], x.channels, {0: 0, 1: 3, 2: 2, 3: 1, 5: _VALID})

    def average_pool(self, x: Blob, *, kernel: int, padding: int) -> Blob:
        """Means of the real pixels (parameter 6 is 0: padding does not count)."""
        mode = _VALID if padding else _FULL
        parameters = {0: 1, 1: kernel, 2: 2, 3: padding, 5: mode, 6: 0}
        return self._emit("Pooling", [x], x.channels, parameters)

    def pool_globally(self, x: Blob) -> Blob:
        """The means over height and width, a vector."""
        return self._emit("Pooling", [x], x.channels, {0: 1, 4: 1})

    def split(self, x: Blob, parts: int) -> Sequence[Blob]:
        """Equal parts of the channels (parameter 0 is an array: their sizes)."""
        each = x.channels // parts
        outputs = [Blob(f"slice_{len(self.layers)}_{index}", each) for index in range(parts)]
        sizes = ",".join(str(each) for _ in outputs)
        self._lay("Slice", [x], outputs, {-23300: f"{parts},{sizes}", 1: 0})
        return outputs

    def concatenate(self, parts: Sequence[Blob]) -> Blob:
        """Joined along the channels."""
        return self._emit("Concat", parts, sum(part.channels for part in parts), {0: 0})

    def subsample(self, x: Blob, *, stride: int, before: int, behind: int) -> Blob:
        """A pool of one pixel with the stride, then channels of zeros."""
        x = self._emit("Pooling", [x], x.channels, {0: 0, 1: 1, 2: stride, 5: _VALID})
        if not before + behind:
            return x
        return self._emit("Padding", [x], x.channels + before + behind, {7: before, 8: behind})

    def connect(self, x: Blob, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> Blob:
        """A fully connected layer."""
        parameters = {0: len(weight), 1: 1, 2: weight.size, **({9: 1} if relu else {})}
        y = self._emit("InnerProduct", [x], len(weight), parameters)
        self._keep_large(weight)
        self._keep(bias)
        return y

    def gate(self, x: Blob, logits: Blob) -> Blob:
        """Each channel times its sigmoid."""
        gates = self._emit("Sigmoid", [logits], x.channels)
        gates = self._emit("Reshape", [gates], x.channels, {0: 1, 1: 1, 2: x.channels})
        return self._emit("BinaryOp", [x, gates], x.channels, {0: _MULTIPLY})

    def answer(self, logits: Blob, *, temperature: float, exclusive: bool) -> None:
        """End with the blob ``probabilities``."""
        if temperature != 1:
            factor = f"{1 / temperature:.9e}"
            parameters: dict[int, int | str] = {0: _MULTIPLY, 1: 1, 2: factor}
            logits = self._emit("BinaryOp", [logits], logits.channels, parameters)
        probabilities = Blob("probabilities", logits.channels)
        if exclusive:
            self._lay("Softmax", [logits], [probabilities], {0: 0, 1: 1})
        else:
            self._lay("Sigmoid", [logits], [probabilities], {})

    def finish(self) -> tuple[str, bytes]:
        """Return both files' contents. A blob has one reader: others read copies of ``Split``."""
        readers = Counter(name for layer in self.layers for name in layer.inputs)
        taken: Counter[str] = Counter()
        lines: list[str] = []
        for layer in self.layers:
            inputs = []
            for name in layer.inputs:
                inputs.append(name if readers[name] == 1 else f"{name}_{taken[name]}")
                taken[name] += 1
            lines.append(_spell(layer.kind, layer.name, inputs, layer.outputs, layer.parameters))
            for name in layer.outputs:
                if (count := readers[name]) > 1:
                    copies = [f"{name}_{index}" for index in range(count)]
                    lines.append(_spell("Split", f"split_{name}", [name], copies, ""))
        blobs = sum(int(line.split()[3]) for line in lines)  # every blob comes out of one layer
        text = "\n".join([str(_MAGIC), f"{len(lines)} {blobs}", *lines])
        return f"{text}\n", b"".join(self.weights)

    def _emit(
        self,
        kind: str,
        inputs: Sequence[Blob],
        channels: int,
        parameters: Mapping[int, int | str] | None = None,
    ) -> Blob:
        """Add a layer of one output and return that."""
        output = Blob(f"{kind.lower()}_{len(self.layers)}", channels)
        self._lay(kind, inputs, [output], parameters or {})
        return output

    def _lay(
        self,
        kind: str,
        inputs: Sequence[Blob],
        outputs: Sequence[Blob],
        parameters: Mapping[int, int | str],
    ) -> None:
        names = tuple(blob.name for blob in inputs), tuple(blob.name for blob in outputs)
        text = " ".join(f"{key}={value}" for key, value in parameters.items())
        self.layers.append(_Layer(kind, outputs[0].name, *names, text))

    def _keep(self, *arrays: np.ndarray) -> None:
        """Add plain float32 numbers, as of a bias."""
        self.weights += [np.ascontiguousarray(array, np.float32).tobytes() for array in arrays]

    def _keep_large(self, array: np.ndarray) -> None:
        """Add weights with the tag that says how they are kept, up to whole words of 4 bytes."""
        if not self.half:
            self.weights.append(struct.pack("<I", 0))
            self._keep(array)
            return
        data = np.ascontiguousarray(array, np.float16).tobytes()
        self.weights.append(struct.pack("<I", _HALF) + data + bytes(-len(data) % 4))


def _spell(
    kind: str, name: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str
) -> str:
    """Return a line: kind, name, numbers of inputs and outputs, these, parameters."""
    counts = f"{len(inputs)} {len(outputs)}"
    return " ".join(part for part in (kind, name, counts, *inputs, *outputs, parameters) if part)
