"""How others name the tensors of our networks, written from their sources (not from our importers).

``reference/paddleclas.md`` 2.1 and 2.3 to 2.5, PaddleClas's ``model_zoo``, torchvision's and timm's
``resnet.py``, akamaster's ``resnet.py``. Each function takes a row and the name of one of our
tensors and returns the published name.
"""

import numpy as np
import torch

from residua.zoo.resnet import ResNet

PADDLE = {"weight": "weight", "bias": "bias", "running_mean": "_mean", "running_var": "_variance"}
STATIC = {"weight": "scale", "bias": "offset", "running_mean": "mean", "running_var": "variance"}


def shrink(row):
    """The same row with a quarter of the channels, so that even the deepest is quick to make."""
    return row.model_copy(
        update={
            "widths": tuple(width // 4 for width in row.widths),
            "stem_widths": tuple(width // 4 for width in row.stem_widths),
            "num_classes": 7,
        }
    )


def our_shapes(row):
    with torch.device("meta"):
        state = ResNet(row).state_dict()
    return {k: tuple(v.shape) for k, v in state.items() if not k.endswith("num_batches_tracked")}


def empty_tensors(row):
    """Tensors of the right shape that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in our_shapes(row).items()}


def random_tensors(row, seed=0):
    draw = np.random.default_rng(seed)
    return {
        name: draw.standard_normal(shape, dtype=np.float32)
        for name, shape in our_shapes(row).items()
    }


def flat_index(row, stage, block):
    return sum(row.depths[:stage]) + block


def letters(row, stage, block):
    """res2a, res2b …; in networks of more than 100 layers stage 4 is res4a, res4b1, res4b2 …"""
    deep = sum(row.depths) > 16 and stage == 2 and row.block != "basic"
    if deep and block:
        return f"{stage + 2}b{block}"
    return f"{stage + 2}{chr(ord('a') + block)}"


def current(row, name):
    """legendary_models/resnet.py: stem.i, blocks.n, short, fc."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"fc.{rest[0]}"
    if kind == "stem":
        return f"stem.{rest[0]}.{_unit(rest[1:], 'conv', 'bn')}"
    stage, block, layer = int(rest[0]), int(rest[1]), rest[2]
    layer = {"shortcut": "short"}.get(layer, layer)
    return f"blocks.{flat_index(row, stage, block)}.{layer}.{_unit(rest[3:], 'conv', 'bn')}"


def by_stage(row, name, stem=None):
    """model_zoo: conv1_1 …, conv (ResNeXt), conv1 (Res2Net), bb_s_i, scale, out."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"out.{rest[0]}"
    if kind == "stem":
        single = "conv1" if row.block == "res2net" else "conv"
        module = stem or (f"conv1_{int(rest[0]) + 1}" if row.stem == "deep" else single)
        return f"{module}.{_unit(rest[1:], '_conv', '_batch_norm')}"
    stage, block, layer = int(rest[0]), int(rest[1]), rest[2]
    place = f"bb_{stage}_{block}"
    if layer == "attention":
        part = {"squeeze": "squeeze", "excite": "excitation"}[rest[3]]
        return f"{place}.scale.{part}.{rest[4]}"
    if layer == "split":
        module = f"res{letters(row, stage, block)}_branch2b_{int(rest[3]) + 1}"
        return f"{place}.{module}.{_unit(rest[4:], '_conv', '_batch_norm')}"
    layer = {"shortcut": "short"}.get(layer, layer)
    return f"{place}.{layer}.{_unit(rest[3:], '_conv', '_batch_norm')}"


def by_letter(row, name):
    """Until release/2.1, plain networks: conv, res2a … res4b1 …, out."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"out.{rest[0]}"
    if kind == "stem":
        return f"conv.{_unit(rest[1:], '_conv', '_batch_norm')}"
    layer = {"shortcut": "short"}.get(rest[2], rest[2])
    place = letters(row, int(rest[0]), int(rest[1]))
    return f"res{place}.{layer}.{_unit(rest[3:], '_conv', '_batch_norm')}"


def wsl(row, name):
    """resnext101_wsl.py: _conv_stem, _conv1_0._conv0, _conv1_0._short._conv, _out."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"_out.{rest[0]}"
    if kind == "stem":
        return f"_conv_stem.{_unit(rest[1:], '_conv', '_bn')}"
    layer = "_short._conv" if rest[2] == "shortcut" else f"_{rest[2]}"
    return f"_conv{int(rest[0]) + 1}_{rest[1]}.{layer}.{_unit(rest[3:], '_conv', '_bn')}"


def static(row, name):
    """The variables of the 1.x graphs."""
    kind, *rest = name.split(".")
    if kind == "head":
        return _static_head(row, rest[0])
    if kind == "stem":
        return _static_stem(row, int(rest[0]), rest[1:])
    stage, block, layer = int(rest[0]), int(rest[1]), rest[2]
    extended = "SE_ResNeXt" in row.name
    place = f"{stage + 2}_{block + 1}" if extended else letters(row, stage, block)
    if layer == "attention":
        return f"fc{place}_{_attention(rest)}" if extended else f"fc_res{place}_{_attention(rest)}"
    if extended:
        branch = {"conv0": "x1", "conv1": "x2", "conv2": "x3", "shortcut": "prj"}[layer]
        tail = "weights" if rest[3] == "conv" else f"bn_{STATIC[rest[4]]}"
        return f"conv{place}_{branch}_{tail}"
    branch = {"conv0": "2a", "conv1": "2b", "conv2": "2c", "shortcut": "1"}.get(layer)
    tail = rest[3:]
    if layer == "split":
        branch, tail = f"2b_{int(rest[3]) + 1}", rest[4:]
    conv = tail[0] == "conv"
    return f"{'res' if conv else 'bn'}{place}_branch{branch}_" + (
        "weights" if conv else STATIC[tail[1]]
    )


def _static_head(row, value):
    if row.se_reduction:
        return {"weight": "fc6_weights", "bias": "fc6_offset"}[value]
    if "ResNeXt" in row.name or row.block == "res2net":
        return {"weight": "fc_weights", "bias": "fc_offset"}[value]
    return {"weight": "fc_0.w_0", "bias": "fc_0.b_0"}[value]


def _static_stem(row, index, value):
    conv = f"conv1_{index + 1}" if row.stem == "deep" else "conv1"
    if row.name.startswith("ResNeXt") and row.stem != "deep":
        conv = "res_conv1"
    norm = f"bn_{conv}" if conv == "conv1" else f"bn{conv[3:]}"
    if "SE_ResNeXt" in row.name:
        norm = f"{conv}_bn"
    return f"{conv}_weights" if value[0] == "conv" else f"{norm}_{STATIC[value[1]]}"


def torch_names(row, name, linear="fc"):
    """torchvision and timm; ``avg_down`` moves the shortcut's layers up by one."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"{linear}.{rest[0]}"
    if kind == "stem":
        return _torch_stem(row, int(rest[0]), rest[1:])
    place, layer = f"layer{int(rest[0]) + 1}.{rest[1]}", rest[2]
    if layer == "attention":
        return f"{place}.se.{'fc1' if rest[3] == 'squeeze' else 'fc2'}.{rest[4]}"
    if layer == "shortcut":
        index = (rest[3] == "norm") + (row.shortcut == "average")
        return f"{place}.downsample.{index}.{rest[4]}"
    number = int(layer.removeprefix("conv")) + 1
    return f"{place}.{'conv' if rest[3] == 'conv' else 'bn'}{number}.{rest[4]}"


def cifar(row, name):
    """akamaster's networks: as torchvision's, but the classifier is ``linear``."""
    return torch_names(row, name, "linear")


def _torch_stem(row, index, value):
    if value[0] == "norm" and index == len(row.stem_widths) - 1:
        return f"bn1.{value[1]}"
    if row.stem != "deep":
        return "conv1.weight"
    return f"conv1.{3 * index + (value[0] == 'norm')}.{value[1]}"


def mixture(row, name):
    """A plain network in the scheme of the deep stems, with its one convolution as conv1_1."""
    return by_stage(row, name, stem="conv1_1")


def generated(row, name):
    """The numbers that an exported legendary_models/resnet.py has: stem, then conv0.. and short."""
    kind, *rest = name.split(".")
    if kind == "head":
        return f"linear_0.{'w' if rest[0] == 'weight' else 'b'}_0"
    places = [f"stem.{index}" for index in range(len(row.stem_widths))]
    for stage, depth in enumerate(row.depths):
        for block in range(depth):
            layers = ["conv0", "conv1"] + (["conv2"] if row.block == "bottleneck" else [])
            layers += ["shortcut"] if block == 0 else []
            places += [f"stages.{stage}.{block}.{layer}" for layer in layers]
    place, _, value = name.partition(".conv.") if ".conv." in name else name.partition(".norm.")
    if ".conv." in name:
        return f"conv2d_{places.index(place)}.w_0"
    value = {"weight": "w_0", "bias": "b_0", "running_mean": "w_1", "running_var": "w_2"}[value]
    return f"batch_norm_{places.index(place)}.{value}"


def own(row, name):
    return name


NOT_PADDLE = (torch_names, cifar, own)


def rename(row, tensors, namer):
    """The tensors under published names; Paddle keeps matrices as [inputs, outputs]."""
    paddle = namer not in NOT_PADDLE
    return {
        namer(row, name): array.T if paddle and array.ndim == 2 else array
        for name, array in tensors.items()
    }


def families(row):
    """The namings in which networks of this row's family have been published."""
    if row.stem == "3x3":
        return [own, cifar]
    if row.name.startswith("ResNeXt101_32x") and row.base_width > 4:
        return [own, wsl, torch_names]
    if row.block == "res2net":
        return [own, by_stage, static]
    if row.name.startswith("Wide"):
        return [own, torch_names]
    found = [own, torch_names, by_stage, static]
    if row.name.startswith("ResNet") and not row.name.endswith("_vc"):
        found += [current, generated]
    if row.name.startswith("ResNet") and row.stem == "7x7":
        found += [by_letter, mixture]
    return found


def _unit(rest, conv, norm):
    return f"{conv}.weight" if rest[0] == "conv" else f"{norm}.{PADDLE[rest[1]]}"


def _attention(rest):
    part = {"squeeze": "sqz", "excite": "exc"}[rest[3]]
    return f"{part}_{'weights' if rest[4] == 'weight' else 'offset'}"
