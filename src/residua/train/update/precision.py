"""The number format that training computes in: one choice, with its reason."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from residua.base.errors import SettingError
from residua.base.machine import has_fast_bf16

Format = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Precision:
    """A chosen format and why. Weights, gradients and the loss are float32 in each."""

    name: Format
    device: torch.device
    reason: str

    def computing(self) -> AbstractContextManager[object]:
        """Return the context in which the network runs."""
        if self.name == "fp32":
            return nullcontext()
        half = torch.bfloat16 if self.name == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=half)

    def make_scaler(self) -> torch.amp.GradScaler:
        """Return what keeps small gradients of fp16 from vanishing; for other formats it is off.

        Its step reads from the device whether a gradient overflowed: fp16 waits where bf16 does
        not.
        """
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "fp16")


def choose_device(wanted: str = "auto", local_rank: int = 0) -> torch.device:
    """Return the device to train on: CUDA where there is one, else the processor."""
    if wanted not in {"auto", "cpu", "cuda"}:
        raise SettingError(f"There is no device {wanted!r}.", next_step="Use auto, cpu or cuda.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            "A CUDA device was asked for and torch finds none.",
            next_step="Use --device cpu, or install a torch built for CUDA.",
        )
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", local_rank)


def choose_precision(
    wanted: Literal["auto"] | Format, device: torch.device, *, deterministic: bool = False
) -> Precision:
    """Return the format to train in; "auto" takes bf16 where the hardware multiplies in it.

    ``deterministic`` lets torch use, from now on and in the whole process, algorithms only that
    repeat bit by bit. Raises SettingError where a format is asked of a device that would only
    emulate it.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is refused
        torch.use_deterministic_algorithms(mode=True)
    if device.type == "cuda":
        capable, what = torch.cuda.is_bf16_supported(including_emulation=False), "this GPU"
    else:
        capable, what = has_fast_bf16(), "this processor"
    if wanted == "fp32":
        return Precision("fp32", device, "fp32, as asked")
    if wanted == "fp16":
        if device.type == "cuda":
            return Precision("fp16", device, "fp16 with scaled gradients, as asked")
        raise SettingError(
            "fp16 was asked for, and this processor would only emulate it.",
            next_step="Use precision.compute fp32, or auto.",
        )
    if capable:
        return Precision("bf16", device, f"bf16: {what} multiplies in it")
    if wanted == "bf16":
        raise SettingError(
            f"bf16 was asked for, and {what} has no hardware for it: it would be slower than fp32.",
            next_step="Use --precision fp32, or auto.",
        )
    return Precision("fp32", device, f"fp32: {what} has no hardware for bf16")
