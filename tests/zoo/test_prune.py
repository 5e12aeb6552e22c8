"""Pruning: what is left is the network whose other inner channels give nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from kinds import KINDS, ROUNDING, deploy, make_kind
from making_recipes import fine_tune
from residua.base.errors import SettingError, WeightsMismatchError
from residua.bundle.schema import Classes
from residua.bundle.store import read_bundle, write_bundle
from residua.engines.open import make_demand, open_runtime
from residua.train.recipe.file import change
from residua.train.start import start
from residua.zoo.block import BasicBlock, Bottleneck
from residua.zoo.count import count
from residua.zoo.create import create
from residua.zoo.fold import fold_norms
from residua.zoo.load import export_tensors, load_network, make_network
from residua.zoo.prune import _outputs, count_kept, prune
from residua.zoo.surgery import list_drop_paths
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
    """Of a block's channels one is used by nobody, one gives nothing, one is never above zero."""
    row = find_row("ResNet18").model_copy(update={"depths": (1, 1, 1, 1)})
    network = make_network(row, _random(row)).eval()
    block = network.stages[0][0]
    with torch.no_grad():
        block.conv0.norm.weight[5] = block.conv0.norm.bias[5] = 0
        block.conv0.norm.bias[7] = -20
        block.conv1.conv.weight[:, 9] = 0
    marks = torch.arange(64, dtype=torch.float32)
    block.conv0.norm.running_mean.copy_(marks)
    tensors = {k: v.numpy() for k, v in network.state_dict().items() if "num_batches" not in k}
    _, left = prune(row, tensors, 0.1)
    kept = set(left["stages.0.0.conv0.norm.running_mean"].astype(int).tolist())
    assert len(kept) == 56
    assert not kept & {5, 7, 9}


def test_what_a_filter_gives_is_the_rectified_normal_distribution():
    """Against samples: the root mean square of max(z, 0)."""
    means, deviations = np.array([-1.5, -0.2, 0.0, 0.7, 3.0]), np.array([0.8, -1.3, 1.0, 0.0, 0.5])
    tensors = {"x.norm.bias": means, "x.norm.weight": deviations}
    drawn = np.random.default_rng(0).normal(means, np.abs(deviations), (1_000_000, 5))
    expected = np.sqrt(np.square(np.maximum(drawn, 0)).mean(0))
    np.testing.assert_allclose(_outputs(tensors, "x"), expected, rtol=0.01)


@pytest.mark.parametrize("name", KINDS)
def test_channels_that_nobody_uses_go_and_nothing_changes(tmp_path, name):
    """Of every unit three in ten are used by no weight: without them the answers are the same."""
    bundle, network = make_kind(tmp_path / "x.bundle", name, side=32, shallow=True)
    row = bundle.manifest.architecture
    inner = row.list_inner_widths()
    generator = np.random.default_rng(0)
    blocks = [block for stage in network.stages for block in stage]
    with torch.no_grad():
        for block, width in zip(blocks, inner, strict=True):
            unit = width // row.units
            gone = unit - count_kept(unit, 0.3)
            for convs in users(block):
                useless = generator.permutation(unit)[:gone]
                for conv in convs:
                    weight = conv.conv.weight
                    weight.view(len(weight), -1, unit, *weight.shape[2:])[:, :, useless] = 0
    tensors = {k: v.numpy() for k, v in network.state_dict().items() if "num_batches" not in k}
    pruned, left = prune(row, tensors, 0.3)
    assert sum(pruned.list_inner_widths()) < sum(inner)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    with torch.inference_mode():
        expected = network.double()(x)
        answers = make_network(pruned, left).eval().double()(x)
    torch.testing.assert_close(answers, expected, rtol=1e-9, atol=1e-9)


def users(block):
    """The convolutions that use inner channels, those together that use the same ones."""
    if isinstance(block, BasicBlock):
        return [[block.conv1]]
    if isinstance(block, Bottleneck):
        return [[block.conv1], [block.conv2]]
    return [[*block.split, block.conv2]]


def test_a_pruned_network_can_be_pruned_again(tmp_path):
    bundle, _ = make_kind(tmp_path / "x.bundle", "ResNeXt50_32x4d", side=32, shallow=True)
    row, left = prune(bundle.manifest.architecture, bundle.tensors(), 0.3)
    again, least = prune(row, left, 0.5)
    before, after = row.list_inner_widths(), again.list_inner_widths()
    assert all(a < b for a, b in zip(after, before, strict=True))
    assert make_network(again, least)


def test_create_and_training_begin_with_a_pruned_bundle(tmp_path):
    bundle, _ = make_kind(tmp_path / "x.bundle", "SE_ResNet18_vd", side=32)
    row, left = prune(bundle.manifest.architecture, bundle.tensors(), 0.4)
    manifest = bundle.manifest.model_copy(update={"architecture": row})
    path = write_bundle(tmp_path / "y.bundle", manifest, left).path
    made = create(bundle.manifest.architecture, weights=path)
    for name, array in export_tensors(made).items():
        np.testing.assert_array_equal(array, left[name], err_msg=name)
    with pytest.raises(WeightsMismatchError):
        create(bundle.manifest.architecture, weights=path, widths=(8, 8, 8, 8))
    recipe = change(fine_tune(str(path), epochs=1, image_size=32), {"model.drop_path": 0.2})
    begun = start(recipe, Classes(names=("ant", "bee")))
    assert begun.network.row.inner_widths == row.inner_widths
    assert [path.rate for path in list_drop_paths(begun.network)][-1] == pytest.approx(0.2)
    folded = fold_norms(load_network(read_bundle(path)))
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), made.eval()(x), rtol=1e-4, atol=1e-5)


def test_a_share_that_takes_nothing_is_refused():
    with pytest.raises(SettingError, match="multiples of 8") as caught:
        prune(find_row("ResNet18"), {}, 0.001)
    assert "larger" in caught.value.next_step


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
