"""The network against independent descriptions of it: plain torch code and closed forms."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # torch's own abbreviation

from residua.base.errors import SettingError, UnknownNameError, WeightsMismatchError
from residua.zoo.create import create
from residua.zoo.load import export_tensors, make_network
from residua.zoo.surgery import (
    adapt_channels,
    freeze,
    group_parameters,
    list_parts,
    replace_head,
)

NARROW = (8, 16, 16, 32)


def randomised(row, **options):
    """A narrow network whose statistics are not the neutral ones."""
    options = {"widths": NARROW, "num_classes": 7, "seed": 3} | options
    network = create(row, **options).eval()
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network


def norm(t, name, x):
    return F.batch_norm(
        x,
        t[f"{name}.running_mean"],
        t[f"{name}.running_var"],
        t[f"{name}.weight"],
        t[f"{name}.bias"],
    )


def reference_vd(t, x, depths, *, bottleneck, se):
    """ResNet-D from arXiv 1812.01187, figure 2, with SE of arXiv 1709.01507, on plain tensors."""
    for i in range(3):
        x = F.conv2d(x, t[f"stem.{i}.conv.weight"], stride=2 if i == 0 else 1, padding=1)
        x = norm(t, f"stem.{i}.norm", x).relu()
    x = F.max_pool2d(x, 3, 2, 1)
    for s, depth in enumerate(depths):
        for b in range(depth):
            p, stride = f"stages.{s}.{b}", 2 if b == 0 and s > 0 else 1
            strided = 1 if bottleneck else 0
            y = x
            for c in range(3 if bottleneck else 2):
                w = t[f"{p}.conv{c}.conv.weight"]
                y = F.conv2d(
                    y, w, stride=stride if c == strided else 1, padding=(w.shape[2] - 1) // 2
                )
                y = norm(t, f"{p}.conv{c}.norm", y)
                y = y.relu() if c < (2 if bottleneck else 1) else y
            if se:
                g = y.mean((2, 3))
                g = F.linear(
                    g, t[f"{p}.attention.squeeze.weight"], t[f"{p}.attention.squeeze.bias"]
                )
                g = F.linear(
                    g.relu(), t[f"{p}.attention.excite.weight"], t[f"{p}.attention.excite.bias"]
                )
                y = y * torch.sigmoid(g)[:, :, None, None]
            if b == 0:
                if stride == 2:
                    x = F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
                x = norm(t, f"{p}.shortcut.norm", F.conv2d(x, t[f"{p}.shortcut.conv.weight"]))
            x = (x + y).relu()
    return F.linear(x.mean((2, 3)), t["head.weight"], t["head.bias"])


@pytest.mark.parametrize("size", [64, 61])
@pytest.mark.parametrize(
    ("row", "depths", "bottleneck", "se"),
    [
        ("ResNet18_vd", (2, 2, 2, 2), False, False),
        ("ResNet50_vd", (3, 4, 6, 3), True, False),
        ("SE_ResNet50_vd", (3, 4, 6, 3), True, True),
    ],
)
def test_vd_and_se_are_what_the_papers_say(row, depths, bottleneck, se, size):
    network = randomised(row, widths=(16, 32, 32, 32))
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference_vd(dict(network.state_dict()), x, depths, bottleneck=bottleneck, se=se)
        assert torch.allclose(network(x), expected, rtol=1e-4, atol=1e-4)


def test_the_shortcut_of_option_a_pads_channels_and_subsamples():
    network = randomised("ResNet20", widths=(4, 8, 16))
    shortcut = network.stages[1][0].shortcut
    x = torch.randn(1, 4, 8, 8)
    y = shortcut(x)
    assert y.shape == (1, 8, 4, 4)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()
    assert not any(True for _ in shortcut.parameters())


def test_res2net_adds_each_branch_to_the_next():
    network = randomised("Res2Net50_26w_4s", widths=(64, 64, 64, 64))
    block = network.stages[0][1]
    x = torch.randn(1, 256, 8, 8).relu()
    with torch.inference_mode():
        parts = block.conv0(x).relu().chunk(4, 1)
        a = block.split[0](parts[0]).relu()
        b = block.split[1](parts[1] + a).relu()
        c = block.split[2](parts[2] + b).relu()
        expected = (block.conv2(torch.cat([a, b, c, parts[3]], 1)) + x).relu()
        assert torch.allclose(block(x), expected, atol=1e-5)


def test_features_come_by_name():
    network = randomised("ResNet50")
    x = torch.randn(1, 3, 64, 64)
    features = network.features(x)
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in features.items()}
    assert shapes == {
        "stem": (64, 16, 16),
        "stage1": (32, 16, 16),
        "stage2": (64, 8, 8),
        "stage3": (64, 4, 4),
        "stage4": (128, 2, 2),
    }
    pooled = features["stage4"].mean((2, 3))
    assert torch.allclose(network.head(pooled), network(x), atol=1e-5)
    assert list(network.features(x, ["stage2"])) == ["stage2"]
    with pytest.raises(UnknownNameError, match="stage2"):
        network.features(x, ["stage22"])


def test_small_images_keep_their_resolution_in_the_stem():
    network = create("ResNet18_vd", small_images=True, widths=NARROW, num_classes=10)
    assert network.features(torch.randn(1, 3, 32, 32))["stem"].shape == (1, 64, 32, 32)


@pytest.mark.parametrize(
    "options", [{"num_classes": 0}, {"input_channels": 0}, {"drop_path": 2}, {"widths": (8,)}]
)
def test_senseless_options_are_refused(options):
    with pytest.raises(SettingError, match="ResNet18 cannot be made so"):
        create("ResNet18", **options)


def test_zero_gamma_makes_every_block_begin_as_its_shortcut():
    network = create("ResNet50", widths=NARROW, zero_gamma=True, seed=0).eval()
    x = torch.randn(1, 32, 8, 8).relu()
    assert torch.equal(network.stages[0][1](x), x)


def test_drop_path_rises_linearly_and_keeps_the_expectation():
    network = create("ResNet18", widths=NARROW, drop_path=0.35, seed=0)
    rates = [block.drop.rate for stage in network.stages for block in stage]
    assert rates == pytest.approx([0.05 * i for i in range(8)])
    drop = network.stages[3][1].drop
    x = torch.ones(20_000, 1, 1, 1)
    kept = drop(x)
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.65])
    assert kept.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(drop.eval()(x), x)


def test_initialisation_is_kaiming_of_the_fan_in():
    network = create("ResNet50", seed=0)
    weight = network.stages[3][1].conv1.conv.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)
    assert network.head.weight.abs().max().item() == pytest.approx(2048**-0.5, rel=0.01)
    assert not network.head.bias.any()


def test_the_seed_decides_the_weights_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (create("ResNet18", widths=NARROW, seed=1) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, create("ResNet18", widths=NARROW, seed=2).head.weight)


def test_tensors_survive_the_way_out_and_in():
    network = randomised("SE_ResNet18_vd")
    again = make_network(network.row, export_tensors(network)).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network(x), again(x))


def test_a_mismatch_is_a_table_and_a_refusal():
    network = randomised("ResNet18")
    tensors = export_tensors(network)
    tensors["surplus"] = tensors.pop("head.bias")
    tensors["head.weight"] = tensors["head.weight"][:3]
    with pytest.raises(WeightsMismatchError) as caught:
        make_network(network.row, tensors)
    table = "\n".join(caught.value.differences)
    assert "missing     head.bias" in table
    assert "unexpected  surplus" in table
    assert "expected (7, 32), given (3, 32)" in table


def test_grey_weights_answer_as_rgb_did():
    network = randomised("ResNet18")
    grey = make_network(
        network.row.model_copy(update={"input_channels": 1}),
        adapt_channels(export_tensors(network), 1),
    ).eval()
    x = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(grey(x), network(x.expand(-1, 3, -1, -1)), atol=1e-4)


def test_further_channels_begin_ignored():
    network = randomised("ResNet18")
    rgba = make_network(
        network.row.model_copy(update={"input_channels": 4}),
        adapt_channels(export_tensors(network), 4),
    ).eval()
    x = torch.randn(2, 4, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(rgba(x), network(x[:, :3]), atol=1e-4)
    with pytest.raises(SettingError, match="only RGB"):
        adapt_channels(export_tensors(rgba), 3)


def test_frozen_parts_stay_as_they_are_while_the_rest_learns():
    network = randomised("ResNet18")
    freeze(network, "stage2")
    network.train()
    before = export_tensors(network)
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(4, 3, 64, 64)).square().sum().backward()
    optimiser.step()
    after = export_tensors(network)
    changed = {name.split(".")[0] + name.split(".")[1] for name in before
               if (before[name] != after[name]).any()}  # fmt: skip
    assert changed == {"stages2", "stages3", "headweight", "headbias"}
    groups = group_parameters(network)
    assert [len(groups[name]) > 0 for name in groups] == [False, False, False, True, True, True]
    with pytest.raises(UnknownNameError, match="stage4"):
        freeze(network, "stage44")


def test_a_new_head_leaves_the_features():
    network = randomised("ResNet18")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        features = network.embed(x)
        replace_head(network, 3)
        assert network(x).shape == (1, 3)
        assert torch.equal(network.embed(x), features)
    assert network.row.num_classes == 3
    assert list(list_parts(network)) == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]


def test_a_network_starts_from_weights_with_another_head_and_other_channels(tmp_path):
    from making import make_bundle

    bundle = make_bundle(tmp_path / "x.bundle", widths=NARROW, num_classes=5)
    given = bundle.tensors()
    same = export_tensors(create("ResNet18", weights=bundle.path, widths=NARROW, num_classes=5))
    assert all((same[name] == given[name]).all() for name in given)
    other = create(
        "ResNet18", weights=bundle.path, widths=NARROW, num_classes=9, input_channels=1, seed=0
    )
    tensors = export_tensors(other)
    assert tensors["head.weight"].shape == (9, 32)
    assert (tensors["stages.0.0.conv0.conv.weight"] == given["stages.0.0.conv0.conv.weight"]).all()
    summed = given["stem.0.conv.weight"].sum(1, keepdims=True)
    assert abs(tensors["stem.0.conv.weight"] - summed).max() < 1e-6
    with pytest.raises(WeightsMismatchError):
        create("ResNet34", weights=bundle.path, widths=NARROW)
