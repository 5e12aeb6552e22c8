"""Drop path decided by given numbers: which rows skip, whoever computes them."""

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from residua.base.errors import SettingError
from residua.data.draws import Purpose, bits
from residua.zoo.block import DropPath
from residua.zoo.create import create
from residua.zoo.surgery import list_drop_paths, set_drop_draws


@pytest.fixture
def network():
    # Without batch statistics a row's answer depends on nothing but the row.
    made = create("ResNet18", widths=(8, 8, 8, 8), num_classes=3, drop_path=0.7, seed=0)
    made.train()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return made


def draw(rows, blocks):
    places = np.asarray(rows, dtype=np.int64)
    words = bits(Purpose.DROP_PATH, seed=1, epoch=2, indices=places, count=blocks)
    numbers = (words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)
    return torch.from_numpy(numbers.T.copy())


def test_a_branch_is_dropped_below_the_rate_and_scaled_above():
    drop = DropPath(0.25)
    drop.draws = torch.tensor([0.0, 0.2499, 0.25, 0.99])
    x = torch.ones(4, 2, 3, 3, dtype=torch.bfloat16)
    kept = drop(x)
    assert kept.dtype == torch.bfloat16
    assert kept[:, 0, 0, 0].tolist() == pytest.approx([0, 0, 4 / 3, 4 / 3], rel=2**-8)
    assert torch.equal(drop.eval()(x), x)


def test_dropping_all_leaves_the_shortcuts(network):
    block = network.stages[3][1]
    x = torch.randn(2, 8, 4, 4)
    set_drop_draws(network, torch.zeros(8, 2))
    assert torch.equal(block(x), x.relu())


def test_given_numbers_decide_and_none_gives_the_choice_back(network):
    x = torch.randn(6, 3, 32, 32)
    draws = draw(range(6), 8)
    set_drop_draws(network, draws)
    assert [path.draws.tolist() for path in list_drop_paths(network)] == draws.tolist()
    torch.manual_seed(0)
    first = network(x)
    assert torch.equal(network(x), first)
    set_drop_draws(network, None)
    assert not torch.equal(network(x), first)


def test_a_row_skips_the_same_blocks_in_any_micro_batch(network):
    x = torch.randn(6, 3, 32, 32)
    set_drop_draws(network, draw(range(6), 8))
    whole = network(x)
    parts = []
    for rows in (slice(0, 2), slice(2, 6)):
        set_drop_draws(network, draw(range(rows.start, rows.stop), 8))
        parts.append(network(x[rows]))
    torch.testing.assert_close(torch.cat(parts), whole)


def test_the_share_of_dropped_branches_is_the_rate(network):
    rates = np.array([path.rate for path in list_drop_paths(network)])
    assert rates == pytest.approx(0.1 * np.arange(8))
    dropped = draw(range(20_000), 8).numpy() < rates[:, None]
    assert dropped.mean(axis=1) == pytest.approx(rates, abs=0.012)  # 3.5 standard deviations
    # Blocks decide on their own: no correlation between their choices.
    assert np.abs(np.corrcoef(dropped[1:]) - np.eye(7)).max() < 0.03


def test_new_numbers_compile_nothing_anew():
    torch.compiler.reset()
    counter = CompileCounter()
    drop = DropPath(0.5)
    compiled = torch.compile(drop, backend=counter)
    x = torch.ones(4, 2, 3, 3)
    for seed in range(4):
        draws = torch.rand(4, generator=torch.Generator().manual_seed(seed))
        drop.draws = draws
        assert torch.equal(compiled(x)[:, 0, 0, 0], (draws >= 0.5) * 2.0)
    assert counter.frame_count == 1


def test_numbers_for_another_depth_are_refused(network):
    with pytest.raises(SettingError, match="9 blocks; the network has 8"):
        set_drop_draws(network, torch.zeros(9, 2))
