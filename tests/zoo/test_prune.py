"""Pruning: what is left is the network whose other inner channels give nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from kinds import KINDS, ROUNDING, deploy, make_kind
from residua.base.errors import SettingError
from residua.bundle.store import read_bundle, write_bundle
from residua.engines.open import make_demand, open_runtime
from residua.zoo.block import BasicBlock, Bottleneck
from residua.zoo.count import count
from residua.zoo.load import load_network, make_network
from residua.zoo.prune import count_kept, prune
from residua.zoo.table import find_row


def kept_of(whole, part):
    """Which filters of ``whole`` are those of ``part``, by their normalisation's numbers."""
    numbers = [tuple(row) for row in _numbers(whole)]
    return {numbers.index(tuple(row)) for row in _numbers(part)}


def _numbers(conv):
    norm = conv.norm
    parts = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    return torch.stack([part.detach() for part in parts], 1).tolist()


def silence(conv, kept):
    """Let the filters that are not in ``kept`` give 0, whatever comes in."""
    for place in range(conv.norm.num_features):
        if place not in kept:
            nn.init.zeros_(conv.norm.weight[place : place + 1])
            nn.init.zeros_(conv.norm.bias[place : place + 1])


def inner_convs(block):
    if isinstance(block, BasicBlock):
        return [block.conv0]
    if isinstance(block, Bottleneck):
        return [block.conv0, block.conv1]
    return [block.conv0, *block.split]


def distinguish(network):
    """Give every normalisation numbers of its own, so that filters can be told apart."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 0.7, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)


@pytest.mark.parametrize("name", KINDS)
def test_the_rest_is_the_network_with_the_others_silent(tmp_path, name):
    bundle, network = make_kind(tmp_path / "x.bundle", name, side=32, shallow=True)
    distinguish(network)
    tensors = {k: v.numpy() for k, v in network.state_dict().items() if "num_batches" not in k}
    row, left = prune(bundle.manifest.architecture, tensors, 0.4)
    pruned = make_network(row, left).eval()
    with torch.no_grad():
        for stage, small in zip(network.stages, pruned.stages, strict=True):
            for block, narrow in zip(stage, small, strict=True):
                for conv, thin in zip(inner_convs(block), inner_convs(narrow), strict=True):
                    assert thin.norm.num_features < conv.norm.num_features
                    silence(conv, kept_of(conv, thin))
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    with torch.inference_mode():
        expected = network.double().eval()(x)
        torch.testing.assert_close(pruned.double()(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_a_pruned_bundle_is_an_ordinary_bundle(tmp_path, name):
    bundle, _ = make_kind(tmp_path / "x.bundle", name, side=32, shallow=True)
    row, left = prune(bundle.manifest.architecture, bundle.tensors(), 0.3)
    manifest = bundle.manifest.model_copy(update={"architecture": row})
    write_bundle(tmp_path / "y.bundle", manifest, left)
    pruned = read_bundle(tmp_path / "y.bundle")
    assert pruned.manifest.architecture == row
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = deploy(load_network(pruned), pruned.manifest)(crops)
    for engine in ("openvino", "onnxruntime"):
        answers = open_runtime(engine, make_demand(pruned, engine, "fp32")).run(crops)
        np.testing.assert_allclose(answers, expected, rtol=0, atol=ROUNDING)


def test_the_least_important_go_first():
    """One filter of a block is used by nobody, another makes nothing: both are gone."""
    row = find_row("ResNet18").model_copy(update={"depths": (1, 1, 1, 1)})
    network = make_network(row, _random(row)).eval()
    block = network.stages[0][0]
    with torch.no_grad():
        block.conv0.conv.weight[5] = 0
        block.conv1.conv.weight[:, 9] = 0
    marks = torch.arange(64, dtype=torch.float32)
    block.conv0.norm.running_mean.copy_(marks)
    tensors = {k: v.numpy() for k, v in network.state_dict().items() if "num_batches" not in k}
    _, left = prune(row, tensors, 0.1)
    kept = set(left["stages.0.0.conv0.norm.running_mean"].astype(int).tolist())
    assert len(kept) == 56
    assert not kept & {5, 9}


def _random(row):
    generator = np.random.default_rng(0)
    with torch.device("meta"):
        shapes = make_shapes(row)
    return {
        name: generator.uniform(0.5, 1.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def make_shapes(row):
    from residua.zoo.resnet import ResNet

    state = ResNet(row).state_dict()
    return {name: tuple(t.shape) for name, t in state.items() if "num_batches" not in name}


def test_it_saves_what_it_says():
    row = find_row("ResNet50_vd")
    before = count(row)
    narrow = row.model_copy(
        update={"inner_widths": tuple(count_kept(w, 0.3) for w in row.list_inner_widths())}
    )
    after = count(narrow)
    assert after.params < 0.75 * before.params
    assert after.gflops(224) < 0.75 * before.gflops(224)


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5])
def test_other_shares_are_refused(share):
    with pytest.raises(SettingError, match="between 0 and 1"):
        prune(find_row("ResNet18"), {}, share)
