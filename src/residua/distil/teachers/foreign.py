"""A teacher from an .onnx file, of whatever framework: OpenVINO runs it on the processor.

It is taken for a classifier of ImageNet's kind: one input of normalised pictures, float [N, 3, H,
W] (or [N, H, W, 3]), with ImageNet's mean and deviation; one answer a class, logits or
probabilities, in the order of the student's classes. A file says none of this.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from torch import Tensor

from residua.base.errors import SettingError
from residua.bundle.schema import Preprocess
from residua.distil.compare.seen import Seen
from residua.distil.teachers.teaching import Translator

_TINY = 1e-12  # below it a probability's logarithm says nothing


class OnnxTeacher(Translator):
    """A graph as a teacher: answers only, no features."""

    def __init__(self, path: Path, classes: int, seen: Preprocess) -> None:
        """``seen`` is how the student's pictures are made. Raises SettingError."""
        core = ov.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1]
            raise SettingError(f"{path} cannot be read as ONNX: {said}") from error
        self._last = _check_input(model, path)
        height = model.inputs[0].partial_shape[1 if self._last else 2]
        side = seen.crop_size if height.is_dynamic else height.get_length()
        super().__init__(Preprocess(crop_size=side, short_side=side), seen)
        shape = (-1, side, side, 3) if self._last else (-1, 3, side, side)
        model.reshape({model.inputs[0]: ov.PartialShape(list(shape))})
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = core.compile_model(model, "CPU", settings)
        rng = np.random.default_rng(0)
        probe = self._run(rng.standard_normal((2, *shape[1:])).astype(np.float32))
        if probe.ndim != 2 or probe.shape[1] != classes:
            raise SettingError(
                f"{path} answers {list(probe.shape[1:])} numbers a picture; the student has "
                f"{classes} classes.",
                next_step="Give a teacher of the same classes, in the same order.",
            )
        sums = probe.sum(1)
        self._probabilities = bool((probe >= 0).all() and np.allclose(sums, 1, atol=1e-3))

    @torch.no_grad()
    def observe(self, pictures: Tensor, names: Sequence[str] = ()) -> Seen:
        """Return logits, float32 [N, classes]; of probabilities their logarithms."""
        if names:
            raise SettingError(
                "An .onnx teacher has answers only; this method compares features.",
                next_step="Choose a method of answers: ssld, kd, dkd, dist, skd or wsl.",
            )
        batch = self.translate(pictures)
        if self._last:
            batch = batch.permute(0, 2, 3, 1)
        logits = self._run(batch.contiguous(memory_format=torch.contiguous_format).cpu().numpy())
        if self._probabilities:
            logits = np.log(np.maximum(logits, _TINY))
        return Seen(torch.from_numpy(logits).to(pictures.device), {})

    def _run(self, batch: np.ndarray) -> np.ndarray:
        return np.array(self._compiled([batch])[0], dtype=np.float32)


def _check_input(model: ov.Model, path: Path) -> bool:
    """Return whether the channels come last. Raises SettingError for another kind of input."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise SettingError(
            f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; a classifier "
            "has one of each."
        )
    given = model.inputs[0]
    shape = given.partial_shape
    if given.element_type != ov.Type.f32 or shape.rank.is_dynamic or len(shape) != 4:
        raise SettingError(
            f"{path} takes {given.element_type.get_type_name()} {shape}; float32 pictures "
            "[N, 3, H, W] were expected.",
            next_step="Of residua's own exports give the bundle itself.",
        )
    sizes = [None if size.is_dynamic else size.get_length() for size in shape]
    height, width = (sizes[1], sizes[2]) if sizes[3] == 3 else (sizes[2], sizes[3])
    if height != width:
        raise SettingError(f"{path} takes pictures of {width} x {height}; squares are made here.")
    if sizes[1] == 3:
        return False
    if sizes[3] == 3:
        return True
    raise SettingError(f"{path} takes {shape}: it does not show where the three channels are.")
