"""State dicts found inside what programs save around them: containers, prefixes, other entries."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from residua.base.errors import WeightsError

# Where training programs keep the tensors, in the order of preference. An exponential average
# comes first: it is what is published and evaluated where both are saved (timm's load_checkpoint).
_CONTAINERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict",
    "model_state", "model", "module", "net", "network", "params", "weights",
)  # fmt: skip

# What wrappers put before every name: DataParallel, torch.compile, Paddle's DataParallel,
# Lightning, PaddleClas's and mmpretrain's backbones.
_PREFIXES = ("module.", "_orig_mod.", "_layers.", "model.", "net.", "backbone.")

Tensor = TypeVar("Tensor")


def find_state_dict(
    content: Any, as_tensor: Callable[[Any], Tensor | None], path: Path
) -> dict[str, Tensor]:
    """Return the tensors of ``content`` by name, whatever containers lie around them.

    ``as_tensor`` returns None for what is no tensor: epochs, accuracies, options are left out.
    Raises WeightsError where there is no tensor at all.
    """
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _CONTAINERS if _is_mapping(content, key)), None)
        if inner is None:
            break
        content = inner
    found: dict[str, Tensor] = {}
    if isinstance(content, Mapping):
        for name, value in content.items():
            tensor = as_tensor(value)
            if tensor is not None and isinstance(name, str):
                found[name] = tensor
    if not found:
        raise WeightsError(
            f"{path} holds no tensors by name ({_description(content)}).",
            next_step="Give a file that holds a network's state dict.",
        )
    return found


def strip_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off the prefixes that every name has, again and again.

    ``n_averaged``, the counter that torch's AveragedModel puts beside them, is left out.
    """
    names = [name for name in tensors if name != "n_averaged"]
    cut = 0
    while prefix := next(
        (prefix for prefix in _PREFIXES if all(name.startswith(prefix, cut) for name in names)), ""
    ):
        cut += len(prefix)
        if not names:
            break
    return {name[cut:]: tensors[name] for name in names}


def _is_mapping(content: Mapping[Any, Any], key: str) -> bool:
    return isinstance(content.get(key), Mapping)


def _description(content: Any) -> str:
    if isinstance(content, Mapping):
        keys = ", ".join(repr(key)[:40] for key in list(content)[:5])
        return f"its first keys: {keys}" if keys else "an empty dictionary"
    return f"a {type(content).__name__}"
