"""PyTorch: the engine that is always there, the one for GPUs, and the reference of all others."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from residua.bundle.store import Bundle
from residua.engines.engine import Demand
from residua.pixels.graph import Deployed
from residua.zoo.fold import fold_norms
from residua.zoo.load import load_network

Mode = Literal["eager", "compiled", "cudagraph"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchEngine:
    """The network as a torch module, channels last, its batch normalisations folded."""

    def __init__(self, demand: Demand, *, mode: Mode = "eager") -> None:
        """Load the bundle's weights, or an exported program; ``threads`` holds for the process."""
        if demand.threads is not None:
            torch.set_num_threads(demand.threads)
        self._device = torch.device(demand.device)
        self._mode = mode
        self.precision = demand.precision
        self._run: Callable[[Tensor], Tensor]
        if demand.export is not None:
            path, _ = demand.open_export()
            self._run = torch.export.load(path).module()
        else:
            self._run = _arrange(_deploy(demand), mode, self._device)
        self.lanes = 1
        self.good_batch = 8 if self._device.type == "cpu" else 64

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        mode = "" if self._mode == "eager" else f" {self._mode}"
        return f"torch{mode} {self.precision} on {self._device}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            probabilities: np.ndarray = self._run(images).float().cpu().numpy()
            return probabilities


def compute_reference(bundle: Bundle, crops: np.ndarray, *, batch_size: int = 8) -> np.ndarray:
    """Return the plain network's float32 answers [N, classes]: nothing folded, moved or compiled.

    Every engine and artefact is compared with these.
    """
    manifest = bundle.manifest
    network = load_network(bundle)
    deployed = Deployed(network, manifest.preprocess, manifest.calibration, manifest.task).eval()
    with torch.inference_mode():
        parts = [
            deployed(torch.from_numpy(crops[start : start + batch_size])).numpy()
            for start in range(0, len(crops), batch_size)
        ]
    return np.concatenate(parts)


def _deploy(demand: Demand) -> Deployed:
    """Return the bundle's network as it runs here: folded, in its precision, channels last."""
    manifest = demand.bundle.manifest
    dtype = _DTYPES[demand.precision]
    network: nn.Module = fold_norms(load_network(demand.bundle)).to(dtype)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
    deployed = Deployed(
        network, manifest.preprocess, manifest.calibration, manifest.task, compute=dtype
    )
    return deployed.eval().to(torch.device(demand.device))


def _arrange(deployed: Deployed, mode: Mode, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return how the module is called in ``mode``."""
    match mode:
        case "eager":
            return deployed
        case "compiled":
            compiled: Callable[[Tensor], Tensor] = torch.compile(deployed, dynamic=False)
            return compiled
        case "cudagraph":
            return _Recorded(deployed, device)


class _Recorded:
    """Replays one CUDA graph for each batch size: one launch instead of one a kernel."""

    def __init__(self, deployed: Deployed, device: torch.device) -> None:
        self._deployed = deployed
        self._device = device
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def __call__(self, images: Tensor) -> Tensor:
        if images.shape not in self._graphs:
            self._graphs[images.shape] = self._record(images)
        graph, source, answers = self._graphs[images.shape]
        source.copy_(images)
        graph.replay()
        return answers.clone()

    def _record(self, images: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        source = images.clone()
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's stub
        with torch.cuda.stream(side):
            for _ in range(3):  # lets the libraries choose their kernels before recording
                self._deployed(source)
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answers = self._deployed(source)
        return graph, source, answers
