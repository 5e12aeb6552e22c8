"""The machine's peak: operations a second of a large matrix product, by precision.

No library multiplies quickest on every processor (torch's reaches half of a Zen 5 core's float32,
OpenVINO's all of it), so that several do, and the quickest counts.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

# Of the matrices. On a busy machine the small ones are through before another takes the core (99
# GFLOP/s beside 47); of many cores only the large ones use all.
_SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}


def measure_peak(precision: str, device: str, seconds: float) -> float:
    """Return the FLOP/s (2·n³ a product) of the quickest of the products of ``seconds``.

    Raises RuntimeError where nothing multiplies in ``precision`` on this device.
    """
    products = [
        (side, multiply)
        for side in _SIDES[device]
        for multiply in _list_products(precision, device, side)
    ]
    if not products:
        raise RuntimeError(f"nothing multiplies in {precision} here")
    share = seconds / len(products)
    return max(2 * side**3 / _time(multiply, share) for side, multiply in products)


def _list_products(precision: str, device: str, side: int) -> Iterator[Callable[[], object]]:
    """Yield products of square matrices that work here, each finished when the call returns."""
    for make in (_multiply_by_torch, _multiply_by_openvino):
        try:
            multiply = make(precision, device, side)
            multiply()
        except (RuntimeError, KeyError):
            continue  # not in this precision, or not on this device
        yield multiply


def _time(multiply: Callable[[], object], seconds: float) -> float:
    """Return the seconds of the quickest product."""
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - begun)
    return min(times)


def _multiply_by_torch(precision: str, device: str, side: int) -> Callable[[], object]:
    draws = torch.Generator(device).manual_seed(0)
    shape = (2, side, side)
    if precision == "int8":
        pair = torch.randint(-127, 128, shape, dtype=torch.int8, device=device, generator=draws)
        return lambda: torch._int_mm(pair[0], pair[1])  # noqa: SLF001  # torch's only int8 product
    left, right = torch.randn(shape, device=device, generator=draws).to(_DTYPES[precision])
    if device == "cpu":
        return lambda: torch.matmul(left, right)

    def multiply() -> None:
        torch.matmul(left, right)
        torch.cuda.synchronize()

    return multiply


def _multiply_by_openvino(precision: str, device: str, side: int) -> Callable[[], object]:
    if device != "cpu":
        raise KeyError(device)
    import openvino as ov
    from openvino import opset13 as ops

    draws = np.random.default_rng(0).standard_normal((2, side, side)).astype(np.float32)
    given = ops.parameter([side, side], ov.Type.f32)
    left, right = given, ops.constant(draws[1])
    if precision == "int8":  # as quantised graphs say it; the plugin computes it in int8
        bounds = [np.float32(bound) for bound in (-4, 4)]
        left = ops.fake_quantize(given, *bounds, *bounds, 256)
        right = ops.fake_quantize(right, *bounds, *bounds, 255)
    model = ov.Model([ops.matmul(left, right, transpose_a=False, transpose_b=False)], [given])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[precision]}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([draws[0]], share_inputs=True, share_outputs=True)
