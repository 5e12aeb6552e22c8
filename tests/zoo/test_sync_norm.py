"""Normalisation over real processes against BatchNorm2d on the whole batch in one."""

import copy

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from residua.zoo.create import create
from residua.zoo.sync_norm import SyncNorm, synchronise_norms

# Uneven shares: torch's batch normalisation of a share alone would be far off.
SHARES = {2: (5, 3), 3: (1, 4, 3)}


def make_batch():
    generator = torch.Generator().manual_seed(7)
    x = 3 + 2 * torch.randn(8, 4, 5, 6, generator=generator)
    x += torch.arange(8.0)[:, None, None, None]  # rows differ in their mean
    weights = torch.randn(8, 4, 5, 6, generator=generator)
    return x, weights


def make_norm(kind):
    norm = kind(4)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2, generator=generator)
        norm.bias.normal_(generator=generator)
    return norm


def make_network():
    options = {"widths": (4, 4, 8, 8), "num_classes": 3, "small_images": True, "seed": 0}
    return create("ResNet18_vd", **options).double()  # rounding must not tip a ReLU


def make_pictures():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(8, 3, 12, 12, dtype=torch.float64, generator=generator)


def take_share(tensor, rank, world):
    edges = [0, *torch.tensor(SHARES[world]).cumsum(0).tolist()]
    return tensor[edges[rank] : edges[rank + 1]]


def run_process(rank, world, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world
    )
    found = {"norm": run_norm(rank, world), "network": run_network(rank, world)}
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def run_norm(rank, world):
    """Two updates' worth of statistics, and the gradients of the second."""
    x, weights = (take_share(tensor, rank, world) for tensor in make_batch())
    norm = make_norm(SyncNorm)
    norm(x.square())
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    y = norm(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    (y * weights).sum().backward()
    found = {"y": y.detach(), "x": x.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    buffers = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    still = norm.eval()(x.detach())
    half = norm.train()(x.detach().bfloat16())
    return found | buffers | {"eval": still.detach(), "half": half.detach()}


def run_network(rank, world):
    """A network under torch's exchange of gradients, as training uses it."""
    network = make_network()
    names = list(network.state_dict())
    synchronise_norms(network)
    assert list(network.state_dict()) == names
    assert sum(isinstance(m, SyncNorm) for m in network.modules()) == sum(
        isinstance(m, nn.BatchNorm2d) for m in network.modules()
    )
    x = take_share(make_pictures(), rank, world)
    exchanging = DistributedDataParallel(network)
    # It takes the mean over the processes; the sum over the batch is wanted.
    (exchanging(x).square().sum() * world).backward()
    found = {name: p.grad for name, p in network.named_parameters()}
    return found | dict(network.named_buffers())


@pytest.fixture(scope="module", params=[2, 3])
def processes(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(run_process, (request.param, folder), request.param)
    return [torch.load(folder / f"{rank}.pt") for rank in range(request.param)]


@pytest.mark.slow
def test_the_norm_is_that_of_the_whole_batch(processes):
    found = [part["norm"] for part in processes]
    x, weights = make_batch()
    norm = make_norm(nn.BatchNorm2d)
    norm(x.square())
    x.requires_grad_()
    y = norm(x)
    (y * weights).sum().backward()
    torch.testing.assert_close(torch.cat([part["y"] for part in found]), y.detach())
    torch.testing.assert_close(torch.cat([part["x"] for part in found]), x.grad)
    for name in ("weight", "bias"):
        total = sum(part[name] for part in found)
        torch.testing.assert_close(total, getattr(norm, name).grad)
    for name, buffer in norm.named_buffers():
        for part in found:
            torch.testing.assert_close(part[name], buffer)
            assert torch.equal(part[name], found[0][name])
    torch.testing.assert_close(torch.cat([part["eval"] for part in found]), norm.eval()(x.detach()))
    half = torch.cat([part["half"] for part in found])
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half, norm.train()(x.detach().bfloat16()), rtol=2**-7, atol=2**-7)


@pytest.mark.slow
def test_a_network_learns_as_with_the_whole_batch(processes):
    found = [part["network"] for part in processes]
    network = make_network()
    network(make_pictures()).square().sum().backward()
    expected = {name: p.grad for name, p in network.named_parameters()}
    for part in found:
        torch.testing.assert_close(part, expected | dict(network.named_buffers()))


@pytest.fixture
def alone(tmp_path):
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


def test_gradients_are_those_of_the_differences(alone):
    norm = make_norm(SyncNorm).double()
    x = make_batch()[0][:3, :, :2, :2].double().requires_grad_()

    def run(x, weight, bias):
        return norm._normalise(x, weight, bias, norm.eps)[0]

    assert torch.autograd.gradcheck(run, (x, norm.weight, norm.bias))


def test_the_norms_keep_their_tensors_and_frozen_ones_their_statistics(alone):
    network = make_network()
    network.stages[0].eval()
    own = dict(network.named_parameters())
    before = copy.deepcopy(network.state_dict())
    synchronise_norms(network)
    assert dict(network.named_parameters()).keys() == own.keys()
    assert all(own[name] is parameter for name, parameter in network.named_parameters())
    network(make_pictures())
    after = network.state_dict()
    for name in after:
        moves = "running" in name or "num_batches" in name
        assert torch.equal(before[name], after[name]) == ("stages.0" in name or not moves)


def test_a_cumulative_average_is_that_of_torch(alone):
    ours, theirs = (kind(4, momentum=None) for kind in (SyncNorm, nn.BatchNorm2d))
    for x in make_batch():
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
