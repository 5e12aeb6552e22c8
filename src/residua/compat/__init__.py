"""PaddleClas's commands, configurations and Python class, on top of everything else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.compat.wheel import PaddleClas

__all__ = ["PaddleClas"]


def __getattr__(name: str) -> Any:
    """Import the class at its first use: reading a configuration needs no engine."""
    if name == "PaddleClas":
        from residua.compat.wheel import PaddleClas

        return PaddleClas
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
