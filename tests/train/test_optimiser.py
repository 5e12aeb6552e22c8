"""The groups: everything once, decay where it belongs; and each step against its paper in numpy."""

import copy
import math

import numpy as np
import pytest
import torch

from residua.base.errors import SettingError, UnknownNameError
from residua.train.recipe.descent import OptimiserPart
from residua.train.update.lamb import Lamb
from residua.train.update.lion import Lion
from residua.train.update.muon import Muon
from residua.train.update.optimiser import make_groups, make_optimiser, set_rate
from residua.train.update.rmsprop import RMSprop
from residua.zoo.create import create
from residua.zoo.surgery import freeze, list_parts


@pytest.fixture
def network():
    return create("ResNet18_vd", num_classes=3, widths=(8, 8, 16, 16), seed=0)


def test_every_parameter_is_in_one_group(network):
    groups = make_groups(network, OptimiserPart(lr=0.1, lr_multipliers={"head": 10, "stem": 0.1}))
    ids = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(ids) == sorted(id(parameter) for parameter in network.parameters())


def test_vectors_do_not_decay(network):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decay = {
        names[id(parameter)]: group["weight_decay"]
        for group in make_groups(network, OptimiserPart(lr=0.1, weight_decay=0.02))
        for parameter in group["params"]
    }
    assert {decay[name] for name in decay if ".norm." in name or name.endswith("bias")} == {0}
    assert {decay[name] for name in decay if name.endswith("conv.weight")} == {0.02}
    assert decay["head.weight"] == 0.02


def test_all_decay_where_asked(network):
    (group,) = make_groups(network, OptimiserPart(lr=0.1, weight_decay=0.02, decay_all=True))
    assert group["weight_decay"] == 0.02


def test_parts_have_rates_of_their_own(network):
    part = OptimiserPart(lr=0.2, lr_multipliers={"stem": 0.1, "head": 5})
    optimiser = make_optimiser(network, part)

    def rates(name):
        own = {id(parameter) for parameter in list_parts(network)[name].parameters()}
        groups = optimiser.param_groups
        return [g["lr"] for g in groups if own & {id(given) for given in g["params"]}]

    # One group with decay and one without.
    assert rates("stem") == pytest.approx([0.02, 0.02])
    assert rates("stage2") == pytest.approx([0.2, 0.2])
    assert rates("head") == pytest.approx([1.0, 1.0])
    set_rate(optimiser, 0.5)
    assert rates("head") == pytest.approx([2.5, 2.5])


def test_a_multiplier_of_no_part_is_refused(network):
    with pytest.raises(UnknownNameError, match="stage9") as caught:
        make_groups(network, OptimiserPart(lr=0.1, lr_multipliers={"stage9": 1}))
    assert "stage1" in caught.value.suggestions


def test_frozen_parts_are_left_out(network):
    freeze(network, "stage4")
    parameters = [p for g in make_groups(network, OptimiserPart(lr=0.1)) for p in g["params"]]
    assert {id(p) for p in parameters} == {id(p) for p in network.head.parameters()}


def test_nothing_to_train_is_refused(network):
    freeze(network, "head")
    with pytest.raises(SettingError, match="frozen"):
        make_optimiser(network, OptimiserPart(lr=0.1))


def test_layers_decay_towards_the_input(network):
    part = OptimiserPart(lr=1.0, layer_decay=0.5, lr_multipliers={"stage1": 3})
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates = {
        names[id(parameter)]: group["lr"]
        for group in make_groups(network, part)
        for parameter in group["params"]
    }
    assert rates["head.weight"] == rates["head.bias"] == 1
    assert rates["stages.3.1.conv0.conv.weight"] == 1
    assert rates["stages.3.0.conv0.norm.bias"] == 0.5
    assert rates["stages.1.0.shortcut.conv.weight"] == 0.5**5
    assert rates["stages.0.0.conv1.conv.weight"] == 3 * 0.5**7
    assert rates["stem.0.conv.weight"] == rates["stem.2.norm.weight"] == 0.5**8


def test_muon_turns_the_matrices_of_the_stages(network):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    turned = {
        names[id(parameter)]
        for group in make_groups(network, OptimiserPart(name="muon", lr=0.1))
        if group.get("matrices")
        for parameter in group["params"]
    }
    convolutions = {name for name in names.values() if name.endswith("conv.weight")}
    assert turned == {name for name in convolutions if name.startswith("stages.")}
    assert turned
    assert not any(
        "matrices" in group for group in make_groups(network, OptimiserPart(name="adamw", lr=0.1))
    )


def test_sgd_is_that_of_the_formula():
    """Nesterov momentum and decay of one weight, by hand (Sutskever et al. 2013, as in torch)."""
    network = create("ResNet18", num_classes=2, widths=(4, 4, 4, 4), seed=0)
    optimiser = make_optimiser(network, OptimiserPart(lr=0.1, momentum=0.9, weight_decay=0.01))
    weight = network.head.weight
    expected, velocity = weight.detach().clone(), torch.zeros_like(weight)
    for step in (1.0, 2.0):
        weight.grad = torch.full_like(weight, step)
        gradient = step + 0.01 * expected
        velocity = 0.9 * velocity + gradient if step > 1 else gradient.clone()
        expected = expected - 0.1 * (gradient + 0.9 * velocity)
        optimiser.step()
    torch.testing.assert_close(weight.detach(), expected)


def test_no_momentum_means_no_nesterov(network):
    optimiser = make_optimiser(network, OptimiserPart(lr=0.1, momentum=0.0))
    assert not optimiser.param_groups[0]["nesterov"]


SHAPES = [(3, 4), (5,), (2, 3, 2, 2)]
STEPS = 5


def walk(make, *, shapes=SHAPES):
    """Updates in float64 with gradients of their own: the weights after each, and the gradients."""
    generator = np.random.default_rng(0)
    parameters = [
        torch.nn.Parameter(torch.from_numpy(generator.normal(size=shape))) for shape in shapes
    ]
    start = [parameter.detach().numpy().copy() for parameter in parameters]
    optimiser = make(parameters)
    gradients, weights = [], []
    for step in range(STEPS):
        gradients.append([generator.normal(size=shape) * 10.0 ** (step - 2) for shape in shapes])
        for parameter, gradient in zip(parameters, gradients[-1], strict=True):
            parameter.grad = torch.from_numpy(gradient.copy())
        for group in optimiser.param_groups:
            group["lr"] = 0.1 / (step + 1)
        optimiser.step()
        weights.append([parameter.detach().numpy().copy() for parameter in parameters])
    return start, gradients, weights


@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_lamb_is_that_of_the_paper(max_norm, decay):
    """Algorithm 2 of arXiv 1904.00962, phi the identity, gradients bounded as in FusedLAMB."""
    b1, b2, eps = 0.9, 0.99, 1e-6
    start, gradients, weights = walk(
        lambda parameters: Lamb(
            [{"params": parameters}],
            0.1,
            betas=(b1, b2),
            eps=eps,
            weight_decay=decay,
            max_norm=max_norm,
        )
    )
    x = start
    m, v = ([np.zeros_like(array) for array in start] for _ in range(2))
    for t, (given, found) in enumerate(zip(gradients, weights, strict=True), start=1):
        norm = math.sqrt(sum((g**2).sum() for g in given))
        bound = min(1, max_norm / (norm + 1e-6)) if max_norm else 1  # as torch writes it
        for k, raw in enumerate(given):
            g = raw * bound
            m[k] = b1 * m[k] + (1 - b1) * g
            v[k] = b2 * v[k] + (1 - b2) * g**2
            r = (m[k] / (1 - b1**t)) / (np.sqrt(v[k] / (1 - b2**t)) + eps)
            update = r + decay * x[k]
            trust = np.linalg.norm(x[k]) / np.linalg.norm(update) if decay else 1
            x[k] = x[k] - 0.1 / t * trust * update
            assert found[k] == pytest.approx(x[k], rel=1e-10)


@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_rmsprop_is_that_of_paddle(decay):
    """The equations of paddle.optimizer.RMSProp, uncentred, the decay added to the gradient."""
    rho, momentum, eps = 0.95, 0.9, 1e-3
    start, gradients, weights = walk(
        lambda parameters: RMSprop(
            [{"params": parameters}],
            0.1,
            share=rho,
            momentum=momentum,
            eps=eps,
            weight_decay=decay,
        )
    )
    x = start
    r, v = ([np.zeros_like(array) for array in start] for _ in range(2))
    for t, (given, found) in enumerate(zip(gradients, weights, strict=True), start=1):
        for k, raw in enumerate(given):
            g = raw + decay * x[k]
            r[k] = rho * r[k] + (1 - rho) * g**2
            v[k] = momentum * v[k] + 0.1 / t * g / np.sqrt(r[k] + eps)
            x[k] = x[k] - v[k]
            assert found[k] == pytest.approx(x[k], rel=1e-10)


def test_the_decay_of_adam_goes_through_its_moments(network):
    """Coupled: a gradient of 0 and a weight w is a gradient of decay w, whose step has Adam's size.

    Decoupled it would shrink by lr decay.
    """
    part = OptimiserPart(name="adam", lr=0.1, weight_decay=0.02)
    optimiser = make_optimiser(network, part)
    weight = network.head.weight
    before = weight.detach().clone()
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    expected = before - 0.1 * 0.02 * before / (0.02 * before.abs() + 1e-8)
    torch.testing.assert_close(weight.detach(), expected)


def test_lamb_moves_weights_that_are_zero():
    weight = torch.nn.Parameter(torch.zeros(4))
    weight.grad = torch.ones(4)
    Lamb([{"params": [weight]}], 0.1, weight_decay=0.1).step()
    torch.testing.assert_close(weight.detach(), torch.full((4,), -0.1), rtol=1e-4, atol=0)
    weight.grad, still = torch.zeros(4), torch.nn.Parameter(torch.zeros(4))
    still.grad = torch.zeros(4)
    Lamb([{"params": [still]}], 0.1, weight_decay=0.1).step()
    assert not still.any()


def test_lion_is_that_of_the_paper():
    """Algorithm 2 of arXiv 2302.06675."""
    b1, b2, decay = 0.9, 0.99, 0.3
    start, gradients, weights = walk(
        lambda parameters: Lion([{"params": parameters}], 0.1, betas=(b1, b2), weight_decay=decay)
    )
    x, m = start, [np.zeros_like(array) for array in start]
    for t, (given, found) in enumerate(zip(gradients, weights, strict=True), start=1):
        for k, g in enumerate(given):
            c = b1 * m[k] + (1 - b1) * g
            x[k] = x[k] - 0.1 / t * (np.sign(c) + decay * x[k])
            m[k] = b2 * m[k] + (1 - b2) * g
            assert found[k] == pytest.approx(x[k], rel=1e-10)


@pytest.mark.parametrize("nesterov", [False, True])
def test_muon_of_matrices_is_that_of_torch(nesterov):
    shapes = [(6, 4), (4, 6), (5, 5)]
    options = {"momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.1}
    _, _, ours = walk(
        lambda given: Muon([{"params": given, "matrices": True}], 0.1, **options), shapes=shapes
    )
    _, _, theirs = walk(
        lambda given: torch.optim.Muon(given, 0.1, adjust_lr_fn="match_rms_adamw", **options),
        shapes=shapes,
    )
    for mine, expected in zip(ours[-1], theirs[-1], strict=True):
        assert mine == pytest.approx(expected, rel=1e-9)


def test_muon_makes_a_kernel_nearly_orthogonal():
    """Of a step along U S V' remains U V', with singular values near 1: seen by numpy's SVD."""
    for layout in (torch.contiguous_format, torch.channels_last):
        kernel = torch.nn.Parameter(torch.zeros(8, 3, 3, 3).contiguous(memory_format=layout))
        gradient = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        kernel.grad = gradient.contiguous(memory_format=layout)
        group = {"params": [kernel], "matrices": True}
        optimiser = Muon([group], 1.0, momentum=0.0, weight_decay=0.0)
        optimiser.step()
        assert kernel.is_contiguous(memory_format=layout)
        step = -kernel.detach().reshape(8, 27).numpy() / (0.2 * math.sqrt(27))
        left, _, right = np.linalg.svd(gradient.reshape(8, 27).numpy(), full_matrices=False)
        assert np.linalg.svd(step, compute_uv=False) == pytest.approx(np.ones(8), abs=0.35)
        inside = left.T @ step @ right.T  # diagonal in the same bases
        assert abs(inside - np.diag(np.diag(inside))).max() < 0.05


def test_the_rest_of_muon_is_adamw():
    options = {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}
    _, _, ours = walk(lambda given: Muon([{"params": given}], 0.1, **options))
    _, _, theirs = walk(lambda given: torch.optim.AdamW(given, 0.1, **options))
    for mine, expected in zip(ours[-1], theirs[-1], strict=True):
        assert mine == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "lion", "muon"])
def test_the_state_comes_back_bit_by_bit(name, network):
    part = OptimiserPart(name=name, lr=0.01, layer_decay=0.9)

    def update(network, optimiser, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        set_rate(optimiser, 0.01 / (seed + 1))
        optimiser.step()

    optimiser = make_optimiser(network, part)
    for seed in range(3):
        update(network, optimiser, seed)
    stored = copy.deepcopy(optimiser.state_dict()["state"])
    plain = [value for entries in stored.values() for value in entries.values()]
    assert all(isinstance(value, torch.Tensor | int | float) for value in plain)
    other = copy.deepcopy(network)
    resumed = make_optimiser(other, part)
    groups = resumed.state_dict()["param_groups"]
    resumed.load_state_dict({"state": stored, "param_groups": groups})
    for seed in (3, 4):
        update(network, optimiser, seed)
        update(other, resumed, seed)
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["sgd", "adamw", "lamb", "lion", "muon"])
def test_every_optimiser_learns(name):
    network = create("ResNet18", num_classes=2, widths=(4, 4, 4, 4), small_images=True, seed=0)
    rates = {"sgd": 0.05, "adamw": 0.005, "lamb": 0.01, "lion": 0.001, "muon": 0.005}
    optimiser = make_optimiser(network, OptimiserPart(name=name, lr=rates[name]))
    x = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(16) % 2
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
