"""The emitter of Core ML programs, by the builder of coremltools' intermediate language (MIL).

No converter from PyTorch: coremltools 9 knows torch up to 2.7. The input ``image`` is [1, C, S, S]
with values 0…255: a picture of S x S pixels where it is RGB or grey, an array where it is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb  # noqa: N813  # as Apple's guide calls it

from residua.bundle.schema import Manifest
from residua.engines.graph.walk import emit

OLDEST = ct.target.iOS15  # the first that runs programs; macOS 12
_LAYOUTS = {1: ct.colorlayout.GRAYSCALE, 3: ct.colorlayout.RGB}
# It would join scale and shift into a normalisation with an epsilon of 1e-5 (coremltools 9.0).
_INEXACT = "common::fuse_elementwise_to_batchnorm"
_PRECISIONS = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}


def build_model(
    manifest: Manifest, tensors: Mapping[str, np.ndarray], precision: str = "fp32"
) -> Any:
    """Return the deployed network as a ``coremltools.models.MLModel`` that is not loaded.

    Raises KeyError or ValueError where the tensors are not those of the row.
    """
    side, channels = manifest.preprocess.crop_size, manifest.preprocess.channels
    shape = (1, channels, side, side)

    @mb.program(input_specs=[mb.TensorSpec(shape=shape)], opset_version=OLDEST)  # type: ignore[untyped-decorator]  # coremltools has no types
    def program(image: Any) -> Any:
        emitter = CoreMlEmitter(image)
        emit(manifest, tensors, emitter)
        return emitter.probabilities

    if channels in _LAYOUTS:
        taken = ct.ImageType("image", shape, color_layout=_LAYOUTS[channels], channel_first=True)
    else:
        taken = ct.TensorType("image", shape)
    passes = ct.PassPipeline()
    passes.remove_passes({_INEXACT})
    return ct.convert(
        program, inputs=[taken], convert_to="mlprogram", minimum_deployment_target=OLDEST,
        compute_precision=_PRECISIONS[precision], skip_model_load=True, pass_pipeline=passes,
    )  # fmt: skip


class CoreMlEmitter:
    """Adds operations to the program that is being built; a value is a variable of it."""

    def __init__(self, image: Any) -> None:
        """``image`` is the program's input, float [1, C, S, S]."""
        self.image = image
        self.probabilities: Any = None

    def normalize(self, scale: np.ndarray, shift: np.ndarray) -> Any:
        """Scale and shift each channel."""
        x = mb.mul(x=self.image, y=scale.reshape(1, -1, 1, 1))
        return mb.add(x=x, y=shift.reshape(1, -1, 1, 1))

    def convolve(
        self, x: Any, weight: np.ndarray, bias: np.ndarray, *, stride: int, groups: int, relu: bool
    ) -> Any:
        """A (grouped) convolution with its bias, and where asked for the rectifier."""
        y = mb.conv(
            x=x, weight=weight, bias=bias, strides=[stride] * 2, groups=groups,
            **_padding(weight.shape[-1] // 2),
        )  # fmt: skip
        return mb.relu(x=y) if relu else y

    def add(self, x: Any, y: Any, *, relu: bool) -> Any:
        """The sum, rectified where asked for."""
        total = mb.add(x=x, y=y)
        return mb.relu(x=total) if relu else total

    def max_pool(self, x: Any) -> Any:
        """3x3 of stride 2."""
        return mb.max_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], **_padding(1))

    def average_pool(self, x: Any, *, kernel: int, padding: int) -> Any:
        """Means of the real pixels."""
        return mb.avg_pool(
            x=x, kernel_sizes=[kernel] * 2, strides=[2, 2], exclude_padding_from_average=True,
            ceil_mode=not padding, **_padding(padding),
        )  # fmt: skip

    def pool_globally(self, x: Any) -> Any:
        """The means over height and width."""
        return mb.reduce_mean(x=x, axes=[2, 3], keep_dims=False)

    def split(self, x: Any, parts: int) -> Sequence[Any]:
        """Equal parts of axis 1."""
        outputs: Sequence[Any] = mb.split(x=x, num_splits=parts, axis=1)
        return outputs

    def concatenate(self, parts: Sequence[Any]) -> Any:
        """Joined along axis 1."""
        return mb.concat(values=list(parts), axis=1)

    def subsample(self, x: Any, *, stride: int, before: int, behind: int) -> Any:
        """A strided slice, then zeros on axis 1."""
        x = mb.slice_by_index(
            x=x, begin=[0] * 4, end=[0] * 4, stride=[1, 1, stride, stride],
            begin_mask=[True] * 4, end_mask=[True] * 4,
        )  # fmt: skip
        return mb.pad(x=x, pad=[0, 0, before, behind, 0, 0, 0, 0], mode="constant")

    def connect(self, x: Any, weight: np.ndarray, bias: np.ndarray, *, relu: bool) -> Any:
        """A fully connected layer."""
        y = mb.linear(x=x, weight=weight, bias=bias)
        return mb.relu(x=y) if relu else y

    def gate(self, x: Any, logits: Any) -> Any:
        """Each channel times its sigmoid."""
        return mb.mul(x=x, y=mb.expand_dims(x=mb.sigmoid(x=logits), axes=[2, 3]))

    def answer(self, logits: Any, *, temperature: float, exclusive: bool) -> None:
        """Keep the probabilities as the program's output."""
        if temperature != 1:
            logits = mb.mul(x=logits, y=np.float32(1 / temperature))
        if exclusive:
            self.probabilities = mb.softmax(x=logits, axis=1, name="probabilities")
        else:
            self.probabilities = mb.sigmoid(x=logits, name="probabilities")


def _padding(pixels: int) -> dict[str, Any]:
    """Return the arguments for ``pixels`` on all sides."""
    return {"pad_type": "custom", "pad": [pixels] * 4} if pixels else {"pad_type": "valid"}
