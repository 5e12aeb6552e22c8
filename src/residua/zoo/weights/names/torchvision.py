"""The names of torchvision and timm, and of the CIFAR networks that follow them.

Sources: torchvision ``models/resnet.py``; timm ``models/resnet.py`` (deep stems are ``conv1.0`` to
``conv1.6``; with ``avg_down`` the pool is ``downsample.0``, so convolution and normalisation move
to 1 and 2; attention is ``se.fc1``, ``se.fc2``); akamaster/pytorch_resnet_cifar10 and
kuangliu/pytorch-cifar (``linear``, ``shortcut``); ``paddle.vision.models.resnet`` (the same names
with Paddle's ``_mean`` and ``_variance``).
"""

import re

from residua.zoo.weights.names.naming import Named, Shapes, rewrite

# Networks whose tensors bear these names and have shapes that could pass, but that compute
# something else. Each with the reason.
_FOREIGN = {
    r"\.(convs|bns)\.\d+\.": (
        "Res2Net of timm or of its authors: the first block of stage 1 adds nothing between its "
        "branches and pools the last one, unlike PaddleClas's"
    ),
    r"^layer0\.|\.se_module\.": (
        "legacy SENet (Cadene, timm's legacy_se…): its max pool rounds up and has no padding"
    ),
    r"^maxpool\.|\.filt$": "a network with another pool after the stem or with anti-aliasing",
    r"\.se\.conv\.": "ECA-ResNet: another attention",
}

_STATISTICS = ((r"\._mean$", ".running_mean"), (r"\._variance$", ".running_var"))


def name_torch(shapes: Shapes) -> Named:
    """Map the names of torchvision, timm and the CIFAR networks to ours."""
    names = list(shapes)
    average = _averages(names)
    ours = rewrite(names, _rules(deep="conv1.6.weight" in shapes, shift=1 if average else 0))
    return Named(
        "torchvision or timm",
        ours,
        transposed=any(name.endswith("._mean") for name in names),
        average=average,
        may_lack_projection=True,
    )


def foreign_topology(names: list[str]) -> tuple[str, list[str]] | None:
    """Return why the names tell of a network that is not in the table, and the names; else None."""
    for pattern, reason in _FOREIGN.items():
        if found := [name for name in names if re.search(pattern, name)]:
            return reason, found
    return None


def is_cifar_scheme(names: list[str]) -> bool:
    """Tell whether a network calls its classifier ``linear``, as those without a max pool do."""
    return "linear.weight" in names


def _averages(names: list[str]) -> bool | None:
    if any(re.search(r"\.downsample\.2\.", name) for name in names):
        return True
    return (
        False if any(re.search(r"\.(downsample|shortcut)\.0\.", name) for name in names) else None
    )


def _rules(*, deep: bool, shift: int) -> list[tuple[str, str]]:
    """``deep``: a stem of three; ``shift``: 1 where an average pool is entry 0 of a shortcut."""
    rules = [*_STATISTICS, (r"^bn1\.", f"stem.{2 if deep else 0}.norm.")]
    rules += [(rf"^conv1\.{3 * index}\.", f"stem.{index}.conv.") for index in range(3)]
    rules += [(rf"^conv1\.{3 * index + 1}\.", f"stem.{index}.norm.") for index in range(2)]
    rules += [(r"^conv1\.weight$", "stem.0.conv.weight")]
    rules += [(rf"^layer{stage + 1}\.", f"stages.{stage}.") for stage in range(4)]
    for index in range(3):
        rules += [
            (rf"^(stages\.\d+\.\d+)\.conv{index + 1}\.weight$", rf"\1.conv{index}.conv.weight"),
            (rf"^(stages\.\d+\.\d+)\.bn{index + 1}\.", rf"\1.conv{index}.norm."),
        ]
    rules += [
        (rf"\.(downsample|shortcut)\.{shift}\.", ".shortcut.conv."),
        (rf"\.(downsample|shortcut)\.{shift + 1}\.", ".shortcut.norm."),
        (r"\.se\.fc1\.", ".attention.squeeze."),
        (r"\.se\.fc2\.", ".attention.excite."),
        (r"^(fc|linear|last_linear)\.", "head."),
    ]
    return rules
