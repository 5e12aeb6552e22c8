"""The engine that suits a bundle on this machine, or the one that was asked for."""

import warnings
from importlib.util import find_spec
from typing import Literal

from residua.base.errors import MissingExtraError, SettingError, UnknownNameError
from residua.base.machine import has_nvidia_gpu
from residua.bundle.store import Bundle
from residua.engines.engine import ENGINES, Engine

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")


def open_engine(
    bundle: Bundle,
    *,
    engine: str = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Return an engine with the bundle's network loaded.

    Left to itself it takes torch on a CUDA GPU where there is one, else OpenVINO, which is the
    faster on processors (results/engines.json). Only torch's engine imports torch.
    """
    _check(engine, device, threads)
    if device == "auto":
        device = "cuda" if engine != "openvino" and has_nvidia_gpu() and _sees_cuda() else "cpu"
    if engine == "auto":
        engine = "torch" if device == "cuda" else "openvino"
        if engine == "openvino" and find_spec("openvino") is None:
            warnings.warn("openvino is missing: predicting with torch, slower.", stacklevel=2)
            engine = "torch"
    if engine == "openvino":
        from residua.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, threads=threads)
    from residua.engines.eager import TorchEngine

    return TorchEngine(bundle, device=device, threads=threads)


def _check(engine: str, device: str, threads: int | None) -> None:
    """Refuse what does not exist or does not go together."""
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if threads is not None and threads < 1:
        raise SettingError(f"threads is {threads}; it must be 1 or more.")
    if engine == "openvino" and device == "cuda":
        raise SettingError(
            "The openvino engine runs on the processor only.",
            next_step="Drop --device, or add --engine torch.",
        )
    if engine == "openvino" and find_spec("openvino") is None:
        raise MissingExtraError("openvino", "all")
    if device == "cuda" and not _sees_cuda():
        raise SettingError(
            "A CUDA device was asked for and torch finds none.",
            next_step="Use --device cpu, or install a torch built for CUDA.",
        )


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
