"""The engine that suits a bundle on this machine, or the one that was asked for."""

import warnings
from importlib.util import find_spec
from typing import Literal

from residua.base.errors import MissingExtraError, SettingError, UnknownNameError
from residua.base.machine import has_nvidia_gpu
from residua.bundle.store import Bundle
from residua.engines.engine import ENGINES, Engine, EngineName

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")


def open_engine(
    bundle: Bundle,
    *,
    engine: EngineName = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Return an engine with the bundle's network loaded.

    Left to itself it takes torch on a CUDA GPU where there is one, else OpenVINO, which is the
    faster on processors (results/engines.json). Only torch's engine imports torch.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if device == "auto":
        device = "cuda" if engine != "openvino" and has_nvidia_gpu() and _sees_cuda() else "cpu"
    if engine == "auto":
        engine = "torch" if device == "cuda" else "openvino"
        if engine == "openvino" and find_spec("openvino") is None:
            warnings.warn("openvino is missing: predicting with torch, slower.", stacklevel=2)
            engine = "torch"
    if engine == "openvino":
        if device != "cpu":
            raise SettingError(
                "The openvino engine runs on the processor only.",
                next_step="Drop --device, or add --engine torch.",
            )
        if find_spec("openvino") is None:
            raise MissingExtraError("openvino", "all")
        from residua.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, threads=threads)
    from residua.engines.eager import TorchEngine

    return TorchEngine(bundle, device=device, threads=threads)


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
