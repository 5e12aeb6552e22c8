"""The engine that suits a bundle on this machine, or the one that was asked for."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

from residua.base.errors import MissingExtraError, SettingError, UnknownNameError
from residua.base.machine import has_fast_bf16, has_nvidia_gpu
from residua.bundle.store import Bundle
from residua.engines.engine import ENGINES, RUNTIMES, Demand, Engine, Hint
from residua.engines.open import make_demand, open_runtime
from residua.engines.trial import choose_measured

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "bf16", "fp16", "int8", "fastest")
Notify = Callable[[str], None]


def open_engine(
    bundle: Bundle,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
    hint: Hint = "latency",
    notify: Notify | None = None,
) -> Engine:
    """Return an engine with the bundle's network loaded.

    "auto" takes torch on a CUDA GPU where there is one; on processors the fastest that is installed
    and whose answers equal the reference network's on this machine, measured at the first use of
    the weights and remembered (``engines/trial.py``). ``precision`` "fastest" lets that choice
    range over all precisions; another one than fp32 is compared too before it is used. ``notify``
    hears what was found, and what another precision costs.

    Raises SettingError or MissingExtraError where what was asked for does not go together or is
    not here.
    """
    _check(engine, device, precision, threads)
    if device == "auto":
        device = _choose_device(engine)
    if engine == "auto" and device == "cuda":
        engine, precision = "torch", "bf16" if precision == "fastest" else precision
    tell = notify or (lambda _: None)
    if engine == "auto" or precision == "fastest":
        names = list(RUNTIMES) if engine == "auto" else [engine]
        demands = list_candidates(bundle, names, precision, device, threads, hint)
        return open_runtime(*choose_measured(demands, tell))
    demand = make_demand(bundle, engine, precision, device, threads, hint)
    if precision != "fp32" and device == "cpu":
        return open_runtime(*choose_measured([(engine, demand)], tell))
    return open_runtime(engine, demand)


def list_candidates(
    bundle: Bundle,
    names: list[str],
    precision: str,
    device: str,
    threads: int | None,
    hint: Hint,
) -> list[tuple[str, Demand]]:
    """Return every engine of ``names``, with its demand, that is installed and can run here.

    torch's engine is left out where another runs the bundle too: it is the slower on every
    processor that was measured (results/engines.json), and importing it alone takes seconds.
    """
    wanted = ("fp32", "bf16", "int8") if precision == "fastest" else (precision,)
    found: list[tuple[str, Demand]] = []
    for name in names:
        runtime = RUNTIMES[name]
        if device not in runtime.devices or not _is_installed(name):
            continue
        for each in wanted:
            if each == "bf16" and not has_fast_bf16():
                continue
            try:
                found.append((name, make_demand(bundle, name, each, device, threads, hint)))
            except SettingError:
                continue
    apart = [candidate for candidate in found if not candidate[0].startswith(("torch", "aoti"))]
    if not apart and found:
        warnings.warn("openvino is missing: predicting with torch, slower.", stacklevel=3)
    if not found:
        raise SettingError(
            f"No engine that is installed here runs {bundle.path} in {precision}.",
            next_step="Use --precision fp32, or make an export: residua export --help",
        )
    return apart or found[:1]


def _choose_device(engine: str) -> str:
    able = engine == "auto" or "cuda" in RUNTIMES[engine].devices
    return "cuda" if able and has_nvidia_gpu() and _sees_cuda() else "cpu"


def _check(engine: str, device: str, precision: str, threads: int | None) -> None:
    """Refuse what does not exist or does not go together."""
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    if threads is not None and threads < 1:
        raise SettingError(f"threads is {threads}; it must be 1 or more.")
    if engine == "auto":
        if device == "cuda":
            _require_cuda()
        return
    runtime = RUNTIMES[engine]
    if not _is_installed(engine):
        raise MissingExtraError(runtime.library, runtime.extra)
    if device not in {"auto", *runtime.devices}:
        where = "the processor" if runtime.devices == ("cpu",) else "a CUDA GPU"
        raise SettingError(
            f"The {engine} engine runs on {where} only.",
            next_step="Drop --device, or take another --engine, as torch.",
        )
    if device == "cuda" or runtime.devices == ("cuda",):
        _require_cuda()


def _is_installed(engine: str) -> bool:
    return find_spec(RUNTIMES[engine].library) is not None


def _require_cuda() -> None:
    if not _sees_cuda():
        raise SettingError(
            "A CUDA device was asked for and torch finds none.",
            next_step="Use --device cpu, or install a torch built for CUDA.",
        )


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
