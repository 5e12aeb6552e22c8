"""The names that Paddle makes up: ``conv2d_7.w_0``, numbered as the layers were constructed.

They stand in programs exported from PaddleClas's ``legendary_models/resnet.py``, which constructs
the stem and then, block by block, conv0, conv1, conv2 and the projection, each followed by its
normalisation. The shapes tell which convolution is a projection.
"""

import re

from residua.zoo.weights.names.naming import Named, Shapes

_SCHEME = "Paddle (generated)"
_LAYER = re.compile(r"(conv2d|batch_norm2d|batch_norm|linear)_(\d+)\.([wb]_\d)")
_VALUES = {
    "conv2d": {"w_0": "conv.weight"},
    "batch_norm": {
        "w_0": "norm.weight", "b_0": "norm.bias",
        "w_1": "norm.running_mean", "w_2": "norm.running_var",
    },
    "linear": {"w_0": "head.weight", "b_0": "head.bias"},
}  # fmt: skip


def name_generated(shapes: Shapes) -> Named:
    """Map the names of an exported program to ours by the order of its layers."""
    found = {name: parts for name in shapes if (parts := _LAYER.fullmatch(name))}
    numbers = {
        kind: sorted({int(parts[2]) for parts in found.values() if _kind(parts) == kind})
        for kind in _VALUES
    }
    places = _places([shapes.get(f"conv2d_{number}.w_0", ()) for number in numbers["conv2d"]])
    if len(numbers["batch_norm"]) != len(places) or len(numbers["linear"]) != 1:
        return Named(_SCHEME, {}, transposed=True)
    ours: dict[str, str] = {}
    for name, parts in found.items():
        kind = _kind(parts)
        value = _VALUES[kind].get(parts[3])
        place = "" if kind == "linear" else f"{places[numbers[kind].index(int(parts[2]))]}."
        if value is not None:
            ours[name] = place + value
    return Named(_SCHEME, ours, transposed=True)


def _kind(parts: re.Match[str]) -> str:
    return parts[1].removesuffix("2d") if parts[1].startswith("batch") else parts[1]


def _places(convs: list[tuple[int, ...]]) -> list[str]:
    """Return the place of each convolution, given their shapes in the order of construction."""
    if not convs or any(len(shape) != 4 for shape in convs):
        return []
    places = [f"stem.{index}" for index in range(1 if convs[0][2] == 7 else 3)]
    stage, block = -1, 0
    while len(places) < len(convs):
        first = len(places)
        count = 2 if convs[first][2] == 3 else 3
        behind = convs[first + count] if first + count < len(convs) else None
        projects = behind is not None and behind[1:] == (convs[first][1], 1, 1) and (
            behind[0] == convs[first + count - 1][0]
        )  # fmt: skip
        stage, block = (stage + 1, 0) if projects or stage < 0 else (stage, block + 1)
        places += [f"stages.{stage}.{block}.conv{index}" for index in range(count)]
        if projects:
            places.append(f"stages.{stage}.{block}.shortcut")
    return places[: len(convs)]
