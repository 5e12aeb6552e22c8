"""The machine's peak: operations a second of a large matrix product, by precision."""

import time

import torch

# Of the matrices. On a busy machine the small ones are through before another takes the core (99
# GFLOP/s beside 47); of many cores only the large ones use all.
_SIDES = {"cpu": (512, 1024), "cuda": (4096, 8192)}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def measure_peak(precision: str, device: str, seconds: float) -> float:
    """Return the FLOP/s (2·n³ a product) of the quickest of the products of ``seconds``.

    Raises RuntimeError where torch does not multiply in ``precision`` on this device.
    """
    sides = _SIDES[device]
    return max(_measure(precision, device, side, seconds / len(sides)) for side in sides)


def _measure(precision: str, device: str, side: int, seconds: float) -> float:
    multiply = _prepare(precision, device, side)
    multiply()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - begun)
    return 2 * side**3 / min(times)


class _Product:
    """One product of two square matrices, finished when the call returns."""

    def __init__(self, left: torch.Tensor, right: torch.Tensor) -> None:
        self.left, self.right = left, right

    def __call__(self) -> None:
        if self.left.dtype == torch.int8:
            torch._int_mm(self.left, self.right)  # noqa: SLF001  # the only int8 product of torch
        else:
            torch.matmul(self.left, self.right)
        if self.left.is_cuda:
            torch.cuda.synchronize()


def _prepare(precision: str, device: str, side: int) -> _Product:
    draws = torch.Generator(device).manual_seed(0)
    shape = (2, side, side)
    if precision == "int8":
        pair = torch.randint(-127, 128, shape, dtype=torch.int8, device=device, generator=draws)
    else:
        pair = torch.randn(shape, device=device, generator=draws).to(_DTYPES[precision])
    return _Product(pair[0], pair[1])
