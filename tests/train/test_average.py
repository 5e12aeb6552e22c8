"""Averages against torch's own, against numpy, and there and back without losing a bit."""

import copy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from residua.train.recipe.tree import AveragePart
from residua.train.update.average import Average
from residua.zoo.create import create


def make(seed=0):
    network = create("ResNet18", widths=(4, 4, 4, 4), num_classes=2, small_images=True, seed=seed)
    return network.to(memory_format=torch.channels_last)


def shake(network, seed):
    """Other weights and statistics, as an update leaves them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator))
            else:
                tensor.add_(1)


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def held(average, network):
    with average.applied():
        return state(network)


def test_ema_is_that_of_numpy():
    network = make()
    average = Average(network, AveragePart(kind="ema", decay=0.9, every=3))
    expected = {name: t.double().numpy() for name, t in state(network).items()}
    for update in range(1, 13):
        shake(network, update)
        average.update(update)
        if update % 3 == 0:
            n = update // 3 - 1
            decay = [1 / 10, 2 / 11, 3 / 12, 4 / 13][n]
            for name, tensor in network.state_dict().items():
                expected[name] = decay * expected[name] + (1 - decay) * tensor.double().numpy()
    found = held(average, network)
    for name, tensor in found.items():
        if name.endswith("num_batches_tracked"):
            assert tensor == 12
        else:
            assert tensor.numpy() == pytest.approx(expected[name], rel=1e-5, abs=1e-6)
    assert sum("running_var" in name for name in average.tensors()) > 10


def test_the_warm_up_ends_at_the_decay():
    network = make()
    tensor = network.head.bias
    average = Average(network, AveragePart(kind="ema", decay=0.3))
    expected = tensor.detach().double().numpy()
    for update, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 0.3, 0.3], start=1):
        shake(network, update)
        average.update(update)
        expected = decay * expected + (1 - decay) * tensor.detach().double().numpy()
    assert held(average, network)["head.bias"].numpy() == pytest.approx(expected, rel=1e-5)


def test_ema_without_warm_up_remembers_the_start():
    network = make()
    start = state(network)["head.weight"]
    average = Average(network, AveragePart(kind="ema", decay=0.9, warmup=False))
    shake(network, 1)
    average.update(1)
    expected = 0.9 * start + 0.1 * network.head.weight.detach()
    torch.testing.assert_close(held(average, network)["head.weight"], expected)


@pytest.mark.parametrize("start", [0, 2])
def test_uniform_is_that_of_torch(start):
    network = make()
    theirs = AveragedModel(network, use_buffers=False)
    statistics = []
    average = Average(network, AveragePart(kind="uniform", start_epoch=start))
    for epoch in range(1, 6):
        shake(network, epoch)
        average.update(epoch)
        average.end_epoch(epoch)
        if epoch >= start:
            theirs.update_parameters(network)
            statistics.append(network.stages[0][0].conv0.norm.running_var.clone())
        else:
            assert all(torch.equal(t, held(average, network)[n]) for n, t in state(network).items())
    found = held(average, network)
    for name, parameter in theirs.module.named_parameters():
        torch.testing.assert_close(found[name], parameter.detach())
    torch.testing.assert_close(
        found["stages.0.0.conv0.norm.running_var"], torch.stack(statistics).mean(0)
    )


def test_the_network_gets_its_own_bits_back():
    network = make()
    average = Average(network, AveragePart(kind="ema", decay=0.5))
    shake(network, 1)
    average.update(1)
    own = state(network)
    places = [tensor.data_ptr() for tensor in network.state_dict().values()]

    def fail():
        with average.applied():
            assert not torch.equal(network.head.weight, own["head.weight"])
            # As validation over processes does: the first one's statistics count.
            network.stages[0][0].conv0.norm.running_mean.zero_()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, own[name])
    assert [tensor.data_ptr() for tensor in network.state_dict().values()] == places
    assert held(average, network)["stages.0.0.conv0.norm.running_mean"].any()
    average.put_into(network)
    assert torch.equal(network.head.weight, average.tensors()["head.weight"])


@pytest.mark.parametrize("kind", ["ema", "uniform"])
def test_an_average_goes_on_bit_by_bit(kind):
    network = make()
    part = AveragePart(kind=kind, decay=0.999)
    average = Average(network, part)

    def go_on(average, network, steps):
        for step in steps:
            shake(network, step)
            average.update(step)
            average.end_epoch(step)

    go_on(average, network, range(1, 4))
    tensors = {name: t.clone(memory_format=torch.contiguous_format)
               for name, t in average.tensors().items()}  # fmt: skip
    numbers = copy.deepcopy(average.numbers())
    other = make(seed=1)
    other.load_state_dict(network.state_dict())
    resumed = Average(other, part)
    resumed.load(tensors, numbers)
    go_on(average, network, range(4, 8))
    go_on(resumed, other, range(4, 8))
    assert resumed.numbers() == average.numbers()
    for name, tensor in average.tensors().items():
        assert torch.equal(resumed.tensors()[name], tensor)
        assert resumed.tensors()[name].stride() == tensor.stride()


def test_small_shares_survive_in_float32():
    """With bfloat16 an average of decay 0.9999 would not move at all."""
    network = make()
    average = Average(network, AveragePart(kind="ema", decay=0.9999, warmup=False))
    start = network.head.weight.detach().double().numpy()
    with torch.no_grad():
        network.head.weight.add_(1)
    for update in range(1, 101):
        average.update(update)
    moved = average.tensors()["head.weight"].double().numpy() - start
    assert moved == pytest.approx(np.full_like(moved, 1 - 0.9999**100), rel=1e-3)
