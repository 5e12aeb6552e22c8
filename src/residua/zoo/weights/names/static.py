"""The variable names of PaddleClas's static graph: the 1.x archives and some exported programs.

Source: ``ppcls/modeling/architectures/*.py`` of branch release/static. Names look like
``res4b1_branch2a_weights`` with ``bn4b1_branch2a_scale``, SE_ResNeXt's like ``conv3_1_x2_weights``
with ``conv3_1_x2_bn_scale``.
"""

import re

from residua.zoo.weights.names.naming import Named, Shapes, is_ours

_STATISTIC = {
    "weights": "conv.weight",
    "scale": "norm.weight",
    "offset": "norm.bias",
    "mean": "norm.running_mean",
    "variance": "norm.running_var",
}
_LAYER = {
    "1": "shortcut", "2a": "conv0", "2b": "conv1", "2c": "conv2",
    "prj": "shortcut", "x1": "conv0", "x2": "conv1", "x3": "conv2",
}  # fmt: skip
_VALUE = "(?P<value>weights|scale|offset|mean|variance)"

_HEAD = re.compile(r"fc_0\.(?P<short>[wb])_0|fc6?_(?P<long>weights|offset)")
# conv1, res_conv1 (ResNeXt), conv1_1 … conv1_3; the normalisation drops three letters of the name
# ("bn" + name[3:]) or adds _bn to it.
_STEM = re.compile(rf"(?:(?:res_)?conv1|bn_conv1|bnv1)(?:_(?P<index>[123]))?(?:_bn)?_{_VALUE}")
_BLOCK = re.compile(
    r"(?:res|bn)(?P<stage>[2-5])(?P<letter>[a-z])(?P<number>\d*)"
    rf"_branch(?P<layer>1|2[abc])(?:_(?P<split>\d+))?_{_VALUE}"
)
_SE_BLOCK = re.compile(
    rf"conv(?P<stage>[2-5])_(?P<index>\d+)_(?P<layer>x[123]|prj)(?:_bn)?_{_VALUE}"
)
_ATTENTION = re.compile(
    r"fc(?:_res(?P<stage>[2-5])(?P<letter>[a-z])(?P<number>\d*)|(?P<stage2>[2-5])_(?P<index>\d+))"
    r"_(?P<layer>sqz|exc)_(?P<value>weights|offset)"
)


def is_static_name(name: str) -> bool:
    """Tell whether ``name`` is a variable of such a graph."""
    return _translate(name) is not None


def name_static(shapes: Shapes) -> Named:
    """Map the variables of a static graph to ours."""
    ours: dict[str, str] = {}
    taken: set[str] = set()
    for name in shapes:
        new = _translate(name)
        if new is not None and is_ours(new) and new not in taken:
            ours[name] = new
            taken.add(new)
    return Named("PaddleClas (static graph)", ours, transposed=True)


def _translate(name: str) -> str | None:
    """Return our name of one variable, or None."""
    if found := _HEAD.fullmatch(name):
        return "head.weight" if (found["short"] or found["long"][0]) == "w" else "head.bias"
    if found := _STEM.fullmatch(name):
        return f"stem.{int(found['index'] or 1) - 1}.{_STATISTIC[found['value']]}"
    if found := _BLOCK.fullmatch(name):
        split = f"split.{int(found['split']) - 1}" if found["split"] else _LAYER[found["layer"]]
        return f"{_block(found)}.{split}.{_STATISTIC[found['value']]}"
    if found := _SE_BLOCK.fullmatch(name):
        block = f"stages.{int(found['stage']) - 2}.{int(found['index']) - 1}"
        return f"{block}.{_LAYER[found['layer']]}.{_STATISTIC[found['value']]}"
    if found := _ATTENTION.fullmatch(name):
        block = (
            f"stages.{int(found['stage2']) - 2}.{int(found['index']) - 1}"
            if found["stage2"]
            else _block(found)
        )
        layer = "squeeze" if found["layer"] == "sqz" else "excite"
        return f"{block}.attention.{layer}.{'weight' if found['value'] == 'weights' else 'bias'}"
    return None


def _block(found: re.Match[str]) -> str:
    """``res2a`` is block 0 of stage 0; ``res4b7``, in the deep networks, is block 7 of stage 2."""
    index = int(found["number"]) if found["number"] else ord(found["letter"]) - ord("a")
    return f"stages.{int(found['stage']) - 2}.{index}"
