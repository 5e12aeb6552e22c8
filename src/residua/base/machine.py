"""What this machine offers: cores and processor features. Knows no torch."""

import os
import platform
from functools import cache
from pathlib import Path

_CPU_MAX, _CPU_CFS = Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu")


def usable_cores() -> int:
    """Return the number of cores that this process may use: of its affinity and its container."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(given or 1, _read_quota() or given or 1)


@cache
def _read_quota() -> int | None:
    """Return the cores of the container's limit, rounded up; None where there is none.

    Linux's control groups, version 2 (cpu.max: microseconds in a period) and 1.
    """
    try:
        quota, period = _CPU_MAX.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (_CPU_CFS / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip()
                for name in ("quota", "period")
            )
        except OSError:
            return None
    if not (quota.isdigit() and period.isdigit() and int(period)):  # "max", or -1
        return None
    return max(1, -(-int(quota) // int(period)))


@cache
def processor_flags() -> frozenset[str]:
    """Return the processor's features as Linux names them (avx2, avx512f, amx_bf16, …)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def has_fast_bf16() -> bool:
    """Tell whether the processor multiplies bfloat16 in hardware (AMX or AVX-512 BF16)."""
    return bool(processor_flags() & {"amx_bf16", "avx512_bf16", "bf16"})


def has_int8_dots() -> bool:
    """Tell whether the processor adds up products of int8 in 32 bits (VNNI, AMX, ARM's dot).

    Without, older x86 adds pairs in 16 bits, which overflow unless weights keep to 7 bits.
    """
    return bool(processor_flags() & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


def has_nvidia_gpu() -> bool:
    """Tell whether an NVIDIA device file is there; whether torch can use it is for torch to say."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def describe_machine() -> dict[str, str]:
    """Return processor, cores and system as text, for provenance and benchmark records."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": model,
        "cores": str(usable_cores()),
        "features": " ".join(
            sorted(
                processor_flags() & {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16"}
            )
        ),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def available_memory() -> int:
    """Return the bytes of memory that can still be had, as Linux counts them.

    The limit of a control group (a container) counts too. Where nothing says, it is 4 GiB.
    """
    lines = _lines("/proc/meminfo")
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and used and limit[0].isdigit():
        found.append(max(0, int(limit[0]) - int(used[0])))
    return min(found, default=4 << 30)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
