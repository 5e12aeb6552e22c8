"""The rounding of int8 against closed forms in numpy, and in every kind of network."""

import copy

import numpy as np
import pytest
import torch

from making import make_network
from residua.train.update.rounding import Grid, Rounding, list_points, round_weight

ROWS = {
    "ResNet18": {"widths": (8, 8, 16, 16)},
    "ResNet18_vd": {"widths": (8, 8, 16, 16)},
    "SE_ResNet18_vd": {"widths": (16, 16, 16, 16)},
    "Res2Net50_26w_4s": {"widths": (32, 32, 32, 32)},
    "ResNet20": {},
}
_NEAR = torch.tensor([-1.0, 0, 1])[:, None, None, None, None]
PICTURES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def _network(row):
    return make_network(row, num_classes=4, **ROWS[row])


def _rounded(network, **options):
    return Rounding(network, dict.fromkeys(list_points(network), (-3.2, 3.175)), **options)


def test_an_activation_is_put_on_the_nearest_of_256_levels():
    """The scale is 1/64 exactly, so that ties are ties: they go to the even level."""
    grid = Grid(-1.0, 255 / 64 - 1)
    x = np.arange(-200, 400) / 128
    levels = np.clip(np.rint(x * 64), -64, 191)
    found = grid.round(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_array_equal(found, levels / 64)


# Where zero falls between two levels, the range grows to one side until it has one.
@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [
        (0.0, 0.51, 0.002, 0), (0.4, 5.1, 0.02, 0), (-5.1, -1.0, 0.02, 255),
        (-1.0, 1.55, 0.01, 100), (-1.0, 1.551, 1.551 / 155, 100), (-1.001, 1.55, 1.001 / 100, 100),
    ],
)  # fmt: skip
def test_any_range_has_zero_among_its_levels(low, high, scale, zero):
    grid = Grid(low, high)
    assert (grid.scale, grid.zero) == (pytest.approx(scale, rel=1e-12), zero)
    x = np.random.default_rng(0).uniform(low - 1, high + 1, 5000)
    expected = (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale
    found = grid.round(torch.from_numpy(x)).numpy()
    assert found.dtype == np.float64
    assert np.isclose(found, expected, rtol=0, atol=1e-6).mean() > 0.999  # but for near ties
    assert np.abs(found - expected).max() < 1.01 * scale
    assert grid.round(torch.zeros(1)).item() == 0


def test_gradients_pass_within_the_range_and_stop_beyond():
    x = torch.linspace(-3, 3, 601, requires_grad=True)
    grid = Grid(-0.85, 1.7)  # steps of 0.01, and half a step beyond the last level
    outer = torch.randn(601, generator=torch.Generator().manual_seed(0))
    (grid.round(x) * outer).sum().backward()
    values = x.detach().numpy()
    inside = (values > -0.855) & (values < 1.705)
    np.testing.assert_array_equal(x.grad.numpy(), np.where(inside, outer.numpy(), 0))


def test_a_range_of_nothing_rounds_nothing():
    x = torch.randn(5)
    assert Grid(0.0, 0.0).round(x) is x


def test_half_precision_comes_back_in_its_type():
    x = torch.linspace(-1, 1, 7).bfloat16()
    expected = Grid(-1.0, 1.0).round(x.float()).bfloat16()
    assert torch.equal(Grid(-1.0, 1.0).round(x), expected)


@pytest.mark.parametrize("highest", [127, 63])
@pytest.mark.parametrize("shape", [(6, 5, 3, 3), (6, 40)])
def test_weights_have_levels_of_their_own_for_each_output(highest, shape):
    random = np.random.default_rng(0)
    weight = random.normal(size=shape) * 10.0 ** random.uniform(-4, 4, (6, *[1] * (len(shape) - 1)))
    weight[3] = 0  # an output that is dead
    axes = tuple(range(1, len(shape)))
    scales = np.abs(weight).max(axes, keepdims=True) / highest
    safe = np.where(scales == 0, 1, scales)
    given = torch.from_numpy(weight).float().requires_grad_()
    found = round_weight(given, highest)
    np.testing.assert_allclose(found.detach(), np.rint(weight / safe) * safe, rtol=1e-5)
    outer = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    (found * outer).sum().backward()
    assert torch.equal(given.grad, outer)


def test_folding_a_normalisation_changes_no_level():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 4, 3, 3, generator=generator)
    factors = torch.tensor([2.0, -0.25, 8, -1, 0.5, 4, -16, 1])[:, None, None, None]
    assert torch.equal(round_weight(weight * factors, 127), round_weight(weight, 127) * factors)


@pytest.mark.parametrize("row", ROWS)
def test_the_tensors_stay_and_the_rounding_goes_without_a_trace(row):
    network = _network(row)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    buffers = [name for name, _ in network.named_buffers()]
    with torch.no_grad():
        plain = network(PICTURES)
        rounding = _rounded(network)
        rounded = network(PICTURES)
        assert not torch.equal(rounded, plain)
        assert torch.equal(copy.deepcopy(network)(PICTURES), rounded)
        assert list(network.state_dict()) == list(before)
        assert [name for name, _ in network.named_buffers()] == buffers
        rounding.remove()
        assert torch.equal(network(PICTURES), plain)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert {type(module) for module in network.modules()} == {
        type(module) for module in _network(row).modules()
    }


@pytest.mark.parametrize("row", ROWS)
def test_every_layer_computes_with_rounded_weights_of_rounded_inputs(row):
    """What a layer is given has few values, and what it makes of them is that of its levels."""
    network = _network(row)
    _rounded(network)
    seen = []

    def check(layer, inputs, output):
        levels = inputs[0] / 0.025
        seen.append(layer)
        assert torch.allclose(levels, levels.round(), atol=1e-3)
        weight = round_weight(layer.weight, 127)
        if isinstance(layer, torch.nn.Linear):
            expected = torch.nn.functional.linear(inputs[0], weight, layer.bias)
        else:
            expected = torch.nn.functional.conv2d(
                inputs[0], weight, None, layer.stride, layer.padding, 1, layer.groups
            )
        torch.testing.assert_close(output, expected)

    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(check)
    with torch.no_grad():
        network(PICTURES)
    assert len(seen) == len(layers)


@pytest.mark.parametrize("row", ROWS)
def test_gradients_reach_every_tensor(row):
    network = _network(row).train()
    _rounded(network)
    network(PICTURES).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_autocast_is_given_the_levels_as_its_format_has_them():
    network = _network("ResNet18_vd")
    _rounded(network)
    scale, checked = 0.025, []

    def check(layer, inputs, output):
        levels = (inputs[0].float() / scale).round() + _NEAR
        checked.append((inputs[0] == (levels * scale).to(inputs[0].dtype)).any(0).all())
        assert output.dtype == torch.bfloat16

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(check)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        network(PICTURES)
    assert len(checked) == 3 + 16 + 4
    assert all(checked)
