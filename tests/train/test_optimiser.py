"""Parameter groups: everything once, decay where it belongs, rates by part."""

import pytest
import torch

from residua.base.errors import UnknownNameError
from residua.train.optimiser import make_groups, make_optimiser, set_rate
from residua.train.recipe import OptimiserPart
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


def test_a_step_is_that_of_the_formula():
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
