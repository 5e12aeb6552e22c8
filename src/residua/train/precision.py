"""The number format that training computes in: one choice, with its reason."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from residua.base.errors import SettingError
from residua.base.machine import has_fast_bf16


@dataclass(frozen=True, slots=True)
class Precision:
    """A chosen format and why. Weights, gradients and the loss are float32 in either."""

    name: Literal["fp32", "bf16"]
    device: torch.device
    reason: str

    def computing(self) -> AbstractContextManager[object]:
        """Return the context in which the network runs."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device to train on: CUDA where there is one, else the processor."""
    if wanted not in {"auto", "cpu", "cuda"}:
        raise SettingError(f"There is no device {wanted!r}.", next_step="Use auto, cpu or cuda.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            "A CUDA device was asked for and torch finds none.",
            next_step="Use --device cpu, or install a torch built for CUDA.",
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(
    wanted: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device
) -> Precision:
    """Return the format to train in; "auto" takes bf16 where the hardware multiplies in it.

    Raises SettingError where bf16 is asked of a device that would only emulate it.
    """
    if device.type == "cuda":
        capable, what = torch.cuda.is_bf16_supported(including_emulation=False), "this GPU"
    else:
        capable, what = has_fast_bf16(), "this processor"
    if wanted == "fp32":
        return Precision("fp32", device, "fp32, as asked")
    if capable:
        return Precision("bf16", device, f"bf16: {what} multiplies in it")
    if wanted == "bf16":
        raise SettingError(
            f"bf16 was asked for, and {what} has no hardware for it: it would be slower than fp32.",
            next_step="Use --precision fp32, or auto.",
        )
    return Precision("fp32", device, f"fp32: {what} has no hardware for bf16")
