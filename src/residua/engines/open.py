"""One engine by name: what it is to run of a bundle, and the engine with that loaded."""

from shlex import quote

from residua.base.errors import SettingError, UnknownNameError
from residua.bundle.exports import find_export
from residua.bundle.store import Bundle
from residua.engines.engine import ENGINES, RUNTIMES, Demand, Engine, Hint


def make_demand(
    bundle: Bundle,
    engine: str,
    precision: str,
    device: str = "cpu",
    threads: int | None = None,
    hint: Hint = "latency",
) -> Demand:
    """Return what ``engine`` is to run: the bundle's export for it, or the weights.

    Raises SettingError where the bundle has not what the engine needs.
    """
    runtime = RUNTIMES[engine]
    if precision not in runtime.precisions:
        raise SettingError(
            f"The {engine} engine does not compute in {precision}.",
            next_step=f"It takes: {', '.join(runtime.precisions)}.",
        )
    # A runtime chooses bfloat16 when it compiles; float16 and int8 graphs are files of their own.
    stored = "fp32" if precision == "bf16" else precision
    export = None if engine.startswith("torch") else find_export(bundle, runtime.format, stored)
    if export is None and (not runtime.weights or precision == "int8"):
        option = {"fp32": "", "int8": " --precision int8 --calibrate PICTURES"}.get(
            stored, f" --precision {stored}"
        )
        raise SettingError(
            f"{bundle.path} has no {stored} export for the {engine} engine.",
            next_step=f"Make it: residua export {quote(str(bundle.path))} --format "
            f"{runtime.format}{option}",
        )
    return Demand(bundle, precision, export, device, threads, hint)


def open_runtime(name: str, demand: Demand) -> Engine:  # noqa: PLR0911  # a case an engine
    """Return the engine ``name`` with what ``demand`` says loaded. Imports its library."""
    demand = demand.verify_ahead()
    match name:
        case "openvino":
            from residua.engines.openvino import OpenVinoEngine

            return OpenVinoEngine(demand)
        case "onnxruntime":
            from residua.engines.onnxruntime import OnnxRuntimeEngine

            return OnnxRuntimeEngine(demand)
        case "torch" | "torch-compiled" | "torch-cudagraph":
            from residua.engines.pytorch import TorchEngine

            mode = name.partition("-")[2]
            return TorchEngine(demand, mode=mode or "eager")  # type: ignore[arg-type]  # as matched
        case "aoti":
            from residua.engines.aoti import AotiEngine

            return AotiEngine(demand)
        case "ncnn":
            from residua.engines.ncnn import NcnnEngine

            return NcnnEngine(demand)
        case "mnn":
            from residua.engines.mnn import MnnEngine

            return MnnEngine(demand)
        case "litert":
            from residua.engines.litert import LiteRtEngine

            return LiteRtEngine(demand)
        case "executorch":
            from residua.engines.executorch import ExecuTorchEngine

            return ExecuTorchEngine(demand)
        case "tensorrt":
            from residua.engines.tensorrt import TensorRtEngine

            return TensorRtEngine(demand)
        case _:
            raise UnknownNameError("engine", name, ENGINES)
