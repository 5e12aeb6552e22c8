"""Gradient bounds against numpy."""

import numpy as np
import pytest
import torch

from residua.train.recipe.descent import OptimiserPart
from residua.train.update.clipping import (
    change_gradients,
    changes_gradients,
    clip_adaptively,
    clip_norm,
)
from residua.train.update.optimiser import make_groups
from residua.zoo.create import create


@pytest.fixture
def network():
    made = create("SE_ResNet18_vd", widths=(8, 8, 8, 8), num_classes=3, seed=0)
    generator = torch.Generator().manual_seed(0)
    for index, parameter in enumerate(made.parameters()):
        scale = 10.0 ** (index % 5 - 4)
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    made.stages[0][0].conv0.conv.weight.grad = None
    made.stages[0][0].conv0.norm.bias.grad.zero_()
    return made


def gradients(network):
    return {n: p.grad.numpy().copy() for n, p in network.named_parameters() if p.grad is not None}


def test_the_norm_is_bounded_and_returned(network):
    before = gradients(network)
    norm = np.sqrt(sum((array.astype(float) ** 2).sum() for array in before.values()))
    found = clip_norm(network.parameters(), 0.5)
    assert found.item() == pytest.approx(norm, rel=1e-5)
    for name, array in gradients(network).items():
        assert array == pytest.approx(before[name] * 0.5 / norm, rel=1e-4, abs=1e-12)


def test_a_norm_below_the_limit_changes_nothing(network):
    before = gradients(network)
    clip_norm(network.parameters(), 1e6)
    after = gradients(network)
    assert all((after[name] == before[name]).all() for name in before)


def test_units_are_bounded_beside_their_weights(network):
    """The definition of arXiv 2102.06171, section 4, unit by unit."""
    factor, before = 0.02, gradients(network)
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    clip_adaptively(network, factor)
    clipped = 0
    for name, found in gradients(network).items():
        units = zip(
            *(
                (array if array.ndim > 1 else array[None])
                for array in (before[name], weights[name])
            ),
            found if found.ndim > 1 else found[None],
            strict=True,
        )
        for given, weight, result in units:
            length, size = np.linalg.norm(given), max(np.linalg.norm(weight), 1e-3)
            bounded = length > factor * size and not name.startswith("head.")
            clipped += bounded
            expected = given * (factor * size / length) if bounded else given
            assert result == pytest.approx(expected, rel=1e-4, abs=1e-12)
            assert bounded or (result == given).all()
    units = sum(len(w) if w.ndim > 1 else 1 for w in weights.values())
    assert 0.2 * units < clipped < 0.8 * units


def test_frozen_weights_have_nothing_to_bound(network):
    for parameter in network.parameters():
        parameter.grad = None
    clip_adaptively(network, 0.01)
    assert clip_norm(network.parameters(), 1.0).item() == 0


def test_each_tensor_is_bounded_by_itself(network):
    before = gradients(network)
    part = OptimiserPart(lr=1, clip_tensor_norm=0.01)
    assert changes_gradients(part)
    change_gradients(network, make_groups(network, part), part)
    for name, array in gradients(network).items():
        norm = np.linalg.norm(before[name].astype(float))
        assert array == pytest.approx(before[name] * min(1, 0.01 / max(norm, 1e-30)), rel=1e-5)


def test_l1_adds_the_signs_of_what_decays(network):
    before = gradients(network)
    part = OptimiserPart(lr=1, l1_decay=0.25, clip_norm=1e9)
    change_gradients(network, make_groups(network, part), part)
    weights = {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}
    after = gradients(network)
    for name, array in after.items():
        signs = np.sign(weights[name]) if weights[name].ndim > 1 else 0
        assert array == pytest.approx(before[name] + 0.25 * signs, rel=1e-5, abs=1e-7)
    assert not changes_gradients(OptimiserPart(lr=1))
